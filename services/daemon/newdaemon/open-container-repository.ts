import { join } from 'node:path';
import type { Records } from '../../../kit/records.ts';
import type { Config } from '../config.ts';
import { openContainerRecords } from '../containers/records.ts';
import type { Step } from './boot.ts';
import { runningIn } from './living.ts';
import type { Roots } from './lock-roots.ts';

/** Opens the container records, after a backup when their schema changes; a newer schema is refused. */
export const openContainerRepository = (config: Config, roots: Roots): Step<Records> => ({
  name: 'open container repository',
  run(step) {
    const path = join(config.dataRoot, 'daemon', 'containers.db');
    const records = openContainerRecords(path);
    roots.living.set(() => (config.liveRestore ? runningIn(records) : []));
    step.defer(() => {
      const last = roots.living.ids();
      roots.living.set(() => last);
      records.close();
    });
    return records;
  },
});

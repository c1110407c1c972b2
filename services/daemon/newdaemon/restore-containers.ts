import { restore } from '../containers/restore.ts';
import type { Step } from './boot.ts';
import type { Daemon } from './build-daemon.ts';

/** Adopts the living, settles the dead, sweeps the unreferenced, restarts by policy. */
export const restoreContainers = ({ engine, containers, restored }: Daemon): Step<void> => ({
  name: 'restore containers',
  async run(step) {
    step.defer(() => containers.shutdown({ liveRestore: engine.facts.liveRestore }));
    step.say(await restore(containers, restored));
  },
});

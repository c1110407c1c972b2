import { ControlServiceDefinition } from '../../../proto/gen/longshore/volume/v1/control.ts';
import type { Config } from '../config.ts';
import type { ServiceSet } from '../supervisor/services.ts';
import type { Step } from './boot.ts';
import { drain } from './drain.ts';
import type { Roots } from './lock-roots.ts';

export const openVolumes = (config: Config, roots: Roots, services: ServiceSet): Step<readonly string[]> => ({
  name: 'open volumes',
  async run(step) {
    const control = services.volume.channel.client(ControlServiceDefinition);
    const init = () => control.init({ fence: roots.fence, idMaps: config.idMaps });
    const { count, drivers } = await init();
    step.defer(() => drain(() => control.drain({ keep: roots.living.ids() })));
    services.volume.confirm(async () => void (await init()));
    step.say(`${count} volumes`);
    return drivers;
  },
});

import { ControlServiceDefinition, type InitResponse } from '../../../proto/gen/longshore/execdriver/v1/control.ts';
import type { Config } from '../config.ts';
import type { ServiceSet } from '../supervisor/services.ts';
import type { Step } from './boot.ts';
import { drain } from './drain.ts';
import type { Roots } from './lock-roots.ts';

export type ExecDriver = InitResponse;

export const loadExecDriver = (config: Config, roots: Roots, services: ServiceSet): Step<ExecDriver> => ({
  name: 'load exec driver',
  async run(step) {
    const control = services.execdriver.channel.client(ControlServiceDefinition);
    const init = () =>
      control.init({
        fence: roots.fence,
        defaultRuntime: config.defaultRuntime,
        runtimes: [...config.runtimes],
        defaultUlimits: [...config.defaultUlimits],
        cgroupParent: config.cgroupParent,
        idMaps: config.idMaps,
      });
    const driver = await init();
    step.defer(() => drain(() => control.drain({ keep: roots.living.ids() })));
    services.execdriver.confirm(async () => void (await init()));
    const living = driver.adopted > 0 ? [`${driver.adopted} living containers adopted`] : [];
    step.say([`${driver.runtime} under ${driver.monitor}`, ...living, ...driver.warnings].join('; '));
    return driver;
  },
});

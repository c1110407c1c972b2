import { ControlServiceDefinition, type InitResponse } from '../../../proto/gen/longshore/graphdriver/v1/control.ts';
import type { Config } from '../config.ts';
import type { ServiceSet } from '../supervisor/services.ts';
import type { Step } from './boot.ts';
import { drain } from './drain.ts';
import type { Roots } from './lock-roots.ts';

/** The driver that keeps layers, and what graph needs to know of it. */
export type LayerStore = InitResponse;

export const loadGraphDriver = (config: Config, roots: Roots, services: ServiceSet): Step<LayerStore> => ({
  name: 'load graph driver',
  async run(step) {
    const control = services.graphdriver.channel.client(ControlServiceDefinition);
    const init = () =>
      control.init({
        fence: roots.fence,
        driver: config.storageDriver ?? '',
        options: [...config.storageOptions],
        idMaps: config.idMaps,
      });
    const store = await init();
    step.defer(() => drain(() => control.drain({ keep: roots.living.ids() })));
    services.graphdriver.confirm(async () => void (await init()));
    step.say([`${store.driver} (${store.chosenBecause})`, ...store.passedOver].join('; '));
    return store;
  },
});

import { endpointOf } from '../../../kit/service.ts';
import { ControlServiceDefinition, InitPhase } from '../../../proto/gen/longshore/graph/v1/control.ts';
import type { Config } from '../config.ts';
import type { ServiceSet } from '../supervisor/services.ts';
import type { Step } from './boot.ts';
import { drain } from './drain.ts';
import type { LayerStore } from './load-graph-driver.ts';
import type { Roots } from './lock-roots.ts';

/** The image graph, then the tag store, as the original opens them. */
export const openImageGraph = (config: Config, roots: Roots, layers: LayerStore, services: ServiceSet): Step<void> => ({
  name: 'open image graph and tag store',
  async run(step) {
    const control = services.graph.channel.client(ControlServiceDefinition);
    const init = async (): Promise<string> => {
      const found: string[] = [];
      const phases = control.init({
        fence: roots.fence,
        graphdriverEndpoint: endpointOf(config, 'graphdriver'),
        driver: layers.driver,
        noncePath: layers.noncePath,
        nonce: layers.nonce,
        insecureRegistries: [...config.insecureRegistries],
      });
      for await (const { phase, count } of phases) {
        found.push(`${count} ${phase === InitPhase.INIT_PHASE_IMAGE_GRAPH ? 'images' : 'tags'}`);
      }
      return found.join(', ');
    };
    step.say(await init());
    step.defer(() => drain(() => control.drain({})));
    services.graph.confirm(async () => void (await init()));
  },
});

import { type Control, openControl } from '../../kit/control.ts';
import { messageOf } from '../../kit/errors.ts';
import { programVersion } from '../../kit/flags.ts';
import { endpointOf, type ServiceConfig } from '../../kit/service.ts';
import {
  type ControlServiceImplementation,
  InitPhase,
  InitRequest,
} from '../../proto/gen/longshore/graph/v1/control.ts';
import type { Ground } from './graph.ts';
import type { Opened, Opening, Policy } from './opening.ts';

const phases = {
  'image graph': InitPhase.INIT_PHASE_IMAGE_GRAPH,
  'tag store': InitPhase.INIT_PHASE_TAG_STORE,
} as const satisfies Record<Opened['phase'], InitPhase>;

/** The coordinator's side, and the resumption of what it said last. */
export function openControlService(config: ServiceConfig, ground: Ground, opening: Opening) {
  const control: Control = openControl(ground.records);
  const policyOf = (request: InitRequest): Policy => ({
    ...request,
    graphdriverEndpoint: request.graphdriverEndpoint || endpointOf(config, 'graphdriver'),
  });

  const implementation: ControlServiceImplementation = {
    async identify() {
      const { dataRoot, execRoot } = config;
      return { identity: { version: programVersion(), pid: process.pid, dataRoot, execRoot, ...control.fence() } };
    },
    async *init(request) {
      const { fence, ...policy } = request;
      const accepted = control.accept(fence, InitRequest.encode({ ...policy, fence: undefined }).finish());
      for await (const { phase, count } of opening.open(policyOf(request))) yield { phase: phases[phase], count };
      accepted.remember();
    },
    async drain() {
      control.forget();
      opening.close();
      return {};
    },
  };

  return {
    implementation,
    /** Opens by the last Init, if there is one. A failure leaves the store closed until the next Init. */
    async resume() {
      const remembered = control.remembered();
      if (remembered === undefined) return;
      try {
        await opening.resume(policyOf(InitRequest.decode(remembered.policy)));
      } catch (err) {
        ground.log.error({ err }, `cannot resume: ${messageOf(err)}`);
      }
    },
  };
}

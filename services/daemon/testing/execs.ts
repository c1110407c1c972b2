import {
  RunProbeRequest,
  RunProbeResponse,
  WatchExecsResponse,
} from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { Resources } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import type { Clients } from '../daemon.ts';
import { done, type MakeCall, signalOf } from './calls.ts';
import type { World } from './world.ts';

export function execClients(world: World, call: MakeCall): Clients['execdriver']['execs'] {
  const probe = call('execdriver.runProbe', (request: RunProbeRequest) => world.onProbe(request));
  return {
    async runProbe(request) {
      return RunProbeResponse.fromPartial(await probe(RunProbeRequest.fromPartial(request)));
    },
    async *watchExecs({ after }, options) {
      await world.disturb('execdriver.watchExecs', {});
      const latest = world.execEvents.cursor;
      yield WatchExecsResponse.create({ latest });
      for await (const { cursor, event } of world.execEvents.watch(after || latest, signalOf(options))) {
        await world.disturb('execdriver.watchExecs', {});
        yield { cursor, latest: cursor, timeNs: 0n, ...event };
      }
    },
  };
}

export function usageClients(world: World, call: MakeCall): Clients['execdriver']['usage'] {
  return {
    updateResources: call('execdriver.updateResources', (request: { id: string; resources: Resources }) => {
      world.limits.set(request.id, request.resources);
      return done;
    }),
  };
}

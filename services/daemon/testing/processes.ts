import {
  ContainerProcess,
  ProcessEvent,
  ProcessState,
  WatchContainersResponse,
} from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import type { Clients } from '../daemon.ts';
import { absent, already, done, type MakeCall, signalOf } from './calls.ts';
import { refusal, type World } from './world.ts';

export function processClients(world: World, call: MakeCall): Clients['execdriver']['processes'] {
  const living = (id: string) => {
    const process = world.processes.get(id);
    return process !== undefined && process.state !== ProcessState.PROCESS_STATE_EXITED ? process : undefined;
  };
  return {
    startContainer: call('execdriver.startContainer', ({ id, generation }: { id: string; generation: number }) => {
      const running = world.processes.get(id);
      if (running?.generation === generation) return { ...already, process: { ...running } };
      const process = ContainerProcess.create({
        id,
        generation,
        state: ProcessState.PROCESS_STATE_RUNNING,
        pid: 1000 + world.processes.size,
        startedAtNs: BigInt(Date.now()) * 1_000_000n,
        bootId: world.bootId,
        logPath: `/logs/${id}`,
        apparmorProfile: 'docker-default',
      });
      world.processes.set(id, process);
      world.processEvents.append({ event: ProcessEvent.PROCESS_EVENT_STARTED, process: { ...process } });
      return { ...done, process: { ...process } };
    }),
    signalContainer: call('execdriver.signalContainer', ({ id, signal }: { id: string; signal: number }) => {
      if (living(id) === undefined) return absent;
      world.onSignal(id, signal);
      return done;
    }),
    pauseContainer: call('execdriver.pauseContainer', ({ id }: { id: string }) =>
      setState(id, ProcessState.PROCESS_STATE_PAUSED),
    ),
    resumeContainer: call('execdriver.resumeContainer', ({ id }: { id: string }) =>
      setState(id, ProcessState.PROCESS_STATE_RUNNING),
    ),
    removeContainer: call('execdriver.removeContainer', ({ id }: { id: string }) => {
      if (living(id) !== undefined) throw refusal('FAILED_PRECONDITION', 'RUNNING', 'its init lives');
      return world.processes.delete(id) ? done : absent;
    }),
    async *listContainers() {
      await world.disturb('execdriver.listContainers', {});
      for (const process of world.processes.values()) yield { process: { ...process } };
      await world.listed?.();
    },
    async *watchContainers({ after }, options) {
      await world.disturb('execdriver.watchContainers', {});
      const latest = world.processEvents.cursor;
      yield WatchContainersResponse.create({ latest });
      for await (const { cursor, event } of world.processEvents.watch(after || latest, signalOf(options))) {
        await world.disturb('execdriver.watchContainers', {});
        yield { cursor, latest: cursor, timeNs: 0n, ...event };
      }
    },
  };

  function setState(id: string, state: ProcessState) {
    const process = living(id);
    if (process === undefined) throw refusal('FAILED_PRECONDITION', 'NOT_RUNNING', 'not running');
    process.state = state;
    return done;
  }
}

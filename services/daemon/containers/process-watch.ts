import { messageOf } from '../../../kit/errors.ts';
import { detached } from '../../../kit/rpc/call.ts';
import {
  type ContainerProcess,
  ProcessEvent,
  ProcessState,
  type WatchContainersResponse,
} from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import { follow } from '../events/owner-watch.ts';
import { endStray } from './abandon.ts';
import { containerEvent } from './container-event.ts';
import { afterExit, exited, settleExit } from './exit.ts';
import type { Lifecycle } from './lifecycle.ts';
import { isAlive } from './record.ts';

/** The exec driver's events, followed for as long as the engine runs. */
export interface ProcessWatch {
  /** The watch stands: an exit from now on is seen by it, one before by a list. */
  standing: Promise<void>;
  ended: Promise<void>;
}

export function watchProcesses(lifecycle: Lifecycle, signal: AbortSignal): ProcessWatch {
  const { processes } = lifecycle.engine.clients.execdriver;
  const standing = Promise.withResolvers<void>();
  const ended = detached(() =>
    follow<WatchContainersResponse>(
      {
        owner: 'execdriver',
        from: undefined,
        open: (after, until) => processes.watchContainers({ after }, { signal: until }),
        standing: () => standing.resolve(),
        happened: ({ event, process }) => {
          if (process !== undefined) happened(lifecycle, event, process);
        },
        gap: () => takeStock(lifecycle),
      },
      lifecycle.log,
      signal,
    ),
  );
  return { standing: standing.promise, ended };
}

function happened(lifecycle: Lifecycle, event: ProcessEvent, process: ContainerProcess): void {
  const record = lifecycle.repository.get(process.id);
  switch (event) {
    case ProcessEvent.PROCESS_EVENT_EXITED:
      exited(lifecycle, process);
      break;
    case ProcessEvent.PROCESS_EVENT_OOM:
      if (record !== undefined && isAlive(record)) {
        lifecycle.repository.apply({ events: [containerEvent(record, 'oom', lifecycle.now())] });
      }
      break;
    case ProcessEvent.PROCESS_EVENT_STARTED:
      // A start that was given up here and succeeded there.
      if (
        record !== undefined &&
        !isAlive(record) &&
        record.status !== 'starting' &&
        record.generation === process.generation
      ) {
        endStray(lifecycle, record.id).catch((error: unknown) => {
          lifecycle.log.warn(
            { container: record.id, problem: messageOf(error) },
            'a process that no record wants lives on',
          );
        });
      }
      break;
    default:
      break;
  }
}

/** After a gap in the watch: what the exec driver lists is the truth. */
async function takeStock(lifecycle: Lifecycle): Promise<void> {
  const listed = await listProcesses(lifecycle);
  for (const process of listed.values()) exited(lifecycle, process);
  for (const record of lifecycle.repository.all().filter(isAlive)) {
    if (listed.has(record.id)) continue;
    const settled = settleExit(lifecycle, record, {
      code: 255,
      oomKilled: false,
      timeNs: lifecycle.now(),
      unknown: true,
    });
    void afterExit(lifecycle, settled);
  }
}

export async function listProcesses(lifecycle: Lifecycle): Promise<Map<string, ContainerProcess>> {
  const listed = new Map<string, ContainerProcess>();
  for await (const { process } of lifecycle.engine.clients.execdriver.processes.listContainers({})) {
    if (process !== undefined) listed.set(process.id, process);
  }
  return listed;
}

export function isLiving({ state }: ContainerProcess): boolean {
  return state !== ProcessState.PROCESS_STATE_EXITED && state !== ProcessState.PROCESS_STATE_UNSPECIFIED;
}

import { detached } from '../../../kit/rpc/call.ts';
import { type Exec, ExecEvent, type WatchExecsResponse } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { EngineEvent } from '../events/event-log.ts';
import { follow } from '../events/owner-watch.ts';
import { watchCursors } from '../events/watch-cursors.ts';
import { containerEvent } from './container-event.ts';
import type { Lifecycle } from './lifecycle.ts';

/** The name of its cursor. */
const owner = 'execs';

/**
 * Tells of execs what the exec driver tells of them, for as long as the engine runs. How far it came is kept with the events
 * themselves: what happened while no engine ran is told by the next one, and nothing twice.
 */
export function watchExecs(lifecycle: Lifecycle, signal: AbortSignal): Promise<void> {
  const { engine, log, repository } = lifecycle;
  const { records, clients } = engine;
  const cursors = watchCursors(records);
  return detached(() =>
    follow<WatchExecsResponse>(
      {
        owner: 'execdriver',
        from: cursors.get(owner),
        open: (after, until) => clients.execdriver.execs.watchExecs({ after }, { signal: until }),
        standing(latest) {
          if (cursors.get(owner) === undefined) cursors.save(owner, latest);
        },
        happened({ cursor, event, exec }) {
          const told = exec && engineEvent(lifecycle, event, exec);
          repository.apply({ events: told ? [told] : [] }, (save) =>
            records.transaction(() => {
              save();
              cursors.save(owner, cursor);
            }),
          );
        },
        gap: () => cursors.forget(owner),
      },
      log,
      signal,
    ),
  );
}

/** In Docker's words, which have the command in the action. Undefined: its container is gone, and nobody is to be told. */
function engineEvent(lifecycle: Lifecycle, event: ExecEvent, exec: Exec): EngineEvent | undefined {
  const record = lifecycle.repository.get(exec.containerId);
  if (record === undefined) return undefined;
  const [path = '', ...args] = exec.spec?.args ?? [];
  // With the space after it even where there are no arguments.
  const command = `${path} ${args.join(' ')}`;
  const of = (action: string, attributes = {}) =>
    containerEvent(record, action, lifecycle.now(), { execID: exec.id, ...attributes });
  switch (event) {
    case ExecEvent.EXEC_EVENT_CREATED:
      return of(`exec_create: ${command}`);
    case ExecEvent.EXEC_EVENT_STARTED:
      return of(`exec_start: ${command}`);
    case ExecEvent.EXEC_EVENT_EXITED:
      return of('exec_die', { exitCode: String(exec.exitCode ?? 0) });
    default:
      return undefined;
  }
}

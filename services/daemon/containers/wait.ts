import {
  WaitCondition,
  type WaitContainerRequest,
  type WaitContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import type { Lifecycle } from './lifecycle.ts';
import { isRunning } from './record.ts';
import type { Ended } from './waits.ts';

/** One for all: each wait ends by it, and to make one captures a stack. */
const over = new DOMException('the wait is over', 'AbortError');

/** Says first that the wait stands, then how it ended. */
export async function* waitContainer(
  lifecycle: Lifecycle,
  request: WaitContainerRequest,
  signal: AbortSignal,
): AsyncGenerator<WaitContainerResponse, void> {
  const { id } = lifecycle.repository.find(request.container);
  const gaveUp = new AbortController();
  const ended = endOf(lifecycle, id, request.condition, AbortSignal.any([signal, gaveUp.signal]));
  // A caller that goes away before it asks for the second message leaves nobody to hear of it.
  ended.catch(() => undefined);
  try {
    yield { event: { $case: 'standing', value: true } };
    const { code, error = '' } = await ended;
    yield { event: { $case: 'exit', value: { code, error } } };
  } finally {
    gaveUp.abort(over);
  }
}

function endOf(
  { repository, waits }: Lifecycle,
  id: string,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<Ended> {
  if (condition === WaitCondition.WAIT_CONDITION_REMOVED) return waits.removal(id, signal);
  const record = repository.get(id);
  if (condition !== WaitCondition.WAIT_CONDITION_NEXT_EXIT && record !== undefined && !isRunning(record)) {
    return Promise.resolve({ code: record.exitCode });
  }
  return waits.nextExit(id, signal);
}

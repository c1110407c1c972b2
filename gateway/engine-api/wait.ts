import { isServiceError } from '../../kit/errors.ts';
import { WaitCondition, type WaitContainerResponse } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { Peers } from '../peers.ts';
import { BadRequest } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { isOutage, outlasting } from './outage.ts';

const conditions: Readonly<Record<string, WaitCondition>> = {
  'not-running': WaitCondition.WAIT_CONDITION_NOT_RUNNING,
  'next-exit': WaitCondition.WAIT_CONDITION_NEXT_EXIT,
  removed: WaitCondition.WAIT_CONDITION_REMOVED,
};

/** The head of the answer goes out when the wait stands, so that a client which starts the container then loses no exit. */
export async function waitFor(exchange: Exchange, peers: Peers): Promise<void> {
  const { query, path, signal } = exchange;
  const asked = query.text('condition') ?? 'not-running';
  const condition = Object.hasOwn(conditions, asked) ? conditions[asked] : undefined;
  if (condition === undefined) throw new BadRequest(`invalid condition: "${asked}"`);
  for await (const { event } of waiting(peers, path.id ?? '', condition, signal)) {
    exchange.stream('application/json');
    if (event?.$case !== 'exit') continue;
    const { code, error } = event.value;
    await exchange.write(`${JSON.stringify({ StatusCode: code, Error: error === '' ? null : { Message: error } })}\n`);
    exchange.end();
    return;
  }
  throw new Error('the wait ended without an exit');
}

/**
 * The daemon's wait. When the daemon dies meanwhile, the container goes on without it, and its exit is a fact that the exec
 * driver keeps: so the client gets it all the same.
 */
function waiting(
  peers: Peers,
  container: string,
  condition: WaitCondition,
  signal: AbortSignal,
): AsyncGenerator<WaitContainerResponse, void> {
  const begunNs = BigInt(Date.now()) * 1_000_000n;
  let isLost = false;
  async function* open(): AsyncGenerator<WaitContainerResponse, void> {
    const code = isLost ? await exitSince(peers, container, begunNs, signal) : undefined;
    isLost = true;
    const exit = { event: { $case: 'exit' as const, value: { code: code ?? 0, error: '' } } };
    if (code !== undefined && condition !== WaitCondition.WAIT_CONDITION_REMOVED) {
      yield exit;
      return;
    }
    try {
      yield* peers.containers.waitContainer({ container, condition }, { signal });
    } catch (error) {
      // It was removed before this could be asked again.
      if (code === undefined || !isServiceError(error, 'CONTAINER_NOT_FOUND')) throw error;
      yield exit;
    }
  }
  return outlasting(open, signal);
}

/** How the container ended since then; undefined when it was not started, or not since. Waits while it runs. */
async function exitSince(
  { processes }: Peers,
  container: string,
  sinceNs: bigint,
  signal: AbortSignal,
): Promise<number | undefined> {
  // The exec driver knows ids only; so do the clients that wait while they start a container.
  if (!/^[0-9a-f]{64}$/.test(container)) return undefined;
  try {
    for await (const { exit } of processes.waitContainer({ id: container, generation: 0 }, { signal })) {
      return exit !== undefined && exit.timeNs >= sinceNs ? exit.code : undefined;
    }
  } catch (error) {
    if (!isServiceError(error, 'CONTAINER_NOT_FOUND') && !isOutage(error)) throw error;
  }
  return undefined;
}

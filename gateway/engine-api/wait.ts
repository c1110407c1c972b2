import { WaitCondition } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { Peers } from '../peers.ts';
import { BadRequest } from './errors.ts';
import type { Exchange } from './exchange.ts';

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
  const events = peers.containers.waitContainer({ container: path.id ?? '', condition }, { signal });
  for await (const { event } of events) {
    exchange.stream('application/json');
    if (event?.$case !== 'exit') continue;
    const { code, error } = event.value;
    await exchange.write(`${JSON.stringify({ StatusCode: code, Error: error === '' ? null : { Message: error } })}\n`);
    exchange.end();
    return;
  }
  throw new Error('the wait ended without an exit');
}

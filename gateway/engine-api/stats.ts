import { setTimeout as delay } from 'node:timers/promises';
import { isServiceError } from '../../kit/errors.ts';
import { ContainerStatus } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { Usage } from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import type { Peers } from '../peers.ts';
import { BadRequest } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { statsJson } from './stats-json.ts';

const intervalMs = 1000;

/**
 * One sample a second, each with the one before, for as long as there is a client and a container; while that does not run,
 * empty ones. Without `stream` a single one, for which, unless `one-shot`, two are taken.
 */
export async function sendStats(exchange: Exchange, peers: Peers): Promise<void> {
  const { query, signal } = exchange;
  const streams = query.truth('stream', true);
  const once = query.truth('one-shot');
  if (streams && once) throw new BadRequest('cannot have stream=true and one-shot=true');
  let before: Usage | undefined;
  let named = { id: '', name: '' };
  let isSent = false;
  const send = async (usage: Usage | undefined) => {
    exchange.stream('application/json');
    await exchange.write(`${JSON.stringify(statsJson(named, usage, before))}\n`);
    before = usage;
    isSent = true;
  };

  while (!signal.aborted) {
    const target = await peers.containers.openStream({ container: exchange.path.id ?? '' }).catch((error: unknown) => {
      if (named.id === '' || !isServiceError(error, 'CONTAINER_NOT_FOUND')) throw error;
    });
    if (target === undefined) break;
    named = { id: target.containerId, name: target.name };
    if (!isAlive(target.status)) {
      await send(undefined);
      if (!streams) break;
      await delay(intervalMs, undefined, { signal });
      continue;
    }
    for await (const usage of samples(peers, target.containerId, once, signal)) {
      if (streams || once || before !== undefined) {
        await send(usage);
        if (!streams) break;
      } else {
        before = usage;
      }
    }
    if (!streams && isSent) break;
  }
  exchange.end();
}

/** Until the container ends. */
async function* samples(peers: Peers, id: string, once: boolean, signal: AbortSignal): AsyncGenerator<Usage> {
  try {
    for await (const { usage } of peers.usage.watchUsage({ id, once }, { signal })) {
      if (usage !== undefined) yield usage;
    }
  } catch (error) {
    const hasEnded = ['NOT_RUNNING', 'CONTAINER_NOT_FOUND'].some((reason) => isServiceError(error, reason));
    if (!hasEnded) throw error;
  }
}

function isAlive(status: ContainerStatus): boolean {
  return (
    status === ContainerStatus.CONTAINER_STATUS_RUNNING ||
    status === ContainerStatus.CONTAINER_STATUS_PAUSED ||
    status === ContainerStatus.CONTAINER_STATUS_STOPPING
  );
}

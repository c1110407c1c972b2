import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { StreamPurpose } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { Peers } from '../peers.ts';
import type { Bounds } from './body.ts';
import { BadRequest, Refusal } from './errors.ts';
import type { Exchange } from './exchange.ts';

/** The kernel's struct winsize has 16 bits for each. */
export const terminalSide: Bounds = [0, 65535];

export async function resizeTerminal(exchange: Exchange, peers: Peers): Promise<void> {
  const { query, path } = exchange;
  const rows = query.integer('h', terminalSide);
  const columns = query.integer('w', terminalSide);
  if (rows === undefined || columns === undefined) throw new BadRequest('invalid size: both h and w are needed');
  const { containerId } = await peers.containers.openStream({
    container: path.id ?? '',
    purpose: StreamPurpose.STREAM_PURPOSE_RESIZE,
    rows,
    columns,
  });
  const { outcome } = await peers.processes.resizeTerminal({ id: containerId, rows, columns });
  if (outcome === Outcome.OUTCOME_ABSENT) throw new Refusal(409, `container ${containerId} is not running`);
  exchange.empty(200);
}

import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { StreamPurpose } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { Peers } from '../peers.ts';
import { BadRequest, Refusal } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { Query } from './query.ts';

/** The kernel's struct winsize has 16 bits for each. */
const longestSide = 65535;

/** Height and width of a terminal; what is wrong is told in Docker's words. */
export function terminalSize(query: Query): { rows: number; columns: number } {
  return { rows: side(query.text('h'), 'height'), columns: side(query.text('w'), 'width') };
}

function side(text: string | undefined, name: 'height' | 'width'): number {
  const wrong = (problem: string) => new BadRequest(`invalid resize ${name} ${JSON.stringify(text ?? '')}: ${problem}`);
  if (text === undefined || !/^-?\d+$/.test(text)) throw wrong('invalid syntax');
  const value = Number(text);
  if (value < 0 || Object.is(value, -0) || value > longestSide) throw wrong('value out of range');
  return value;
}

export async function resizeTerminal(exchange: Exchange, peers: Peers): Promise<void> {
  const { query, path } = exchange;
  const { rows, columns } = terminalSize(query);
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

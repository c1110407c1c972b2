import { setTimeout as pause } from 'node:timers/promises';
import { isServiceError } from '../../kit/errors.ts';
import { passedOn } from '../../kit/young-garbage.ts';
import { LogPacking, type ReadLogsRequest } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { Peers } from '../peers.ts';
import { BadRequest } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { streamType } from './frames.ts';
import { integerOf, type Query } from './query.ts';
import { atLeast } from './version.ts';

/** How long what was begun waits for an owner that died to be back. */
const resumeMs = 6_000;
const resumePauseMs = 50;

/** Sends what a container wrote, complete to the last part of a line, and with `follow` what it writes from then on. */
export async function sendLogs(exchange: Exchange, peers: Peers): Promise<void> {
  const { query, path, signal } = exchange;
  const choice = logChoice(query);
  const target = await peers.containers.openStream({ container: path.id ?? '' });
  const { tty, containerId: id } = target;
  const prefix = Buffer.from(query.truth('details') ? `${details(target.logAttributes)} ` : '');
  const packing = packingOf(tty, choice.follow);
  const pieces = readPieces(peers, { ...choice, id, packing, prefix }, signal);
  // A follower's first comes before there is a line, an empty one.
  const first = await pieces.next();
  exchange.stream(streamType(tty, atLeast(exchange.version, '1.42')));
  for (let next = first; !next.done; next = await pieces.next()) {
    if (next.value.length > 0) await exchange.write(next.value);
    passedOn(next.value.length);
  }
  exchange.end();
}

/**
 * Heads are as in Docker's multiplexed stream. Clients that follow may take what is behind one for a line; where nobody waits
 * for the next line, one head for many costs both ends less.
 */
function packingOf(tty: boolean, follow: boolean): LogPacking {
  if (tty) return LogPacking.LOG_PACKING_BARE;
  return follow ? LogPacking.LOG_PACKING_LINES : LogPacking.LOG_PACKING_RUNS;
}

/** As Docker puts them in front of lines. */
function details(attributes: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(attributes).sort(([one], [other]) => (one < other ? -1 : 1));
  return pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join(',');
}

/** When the log's owner goes away in between, it is asked again for what comes behind the last piece. */
async function* readPieces(peers: Peers, request: ReadLogsRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let after = '';
  for (let cutAt: number | undefined; ; ) {
    try {
      for await (const { packed, cursor } of peers.streams.readLogs({ ...request, after }, { signal })) {
        cutAt = undefined;
        after = cursor;
        yield packed;
      }
      return;
    } catch (error) {
      const isCut = isServiceError(error, 'SERVICE_UNAVAILABLE') && (after !== '' || error.cause !== undefined);
      cutAt ??= Date.now();
      if (!isCut || signal.aborted || Date.now() - cutAt > resumeMs) throw error;
      await pause(resumePauseMs);
    }
  }
}

function logChoice(query: Query): Omit<ReadLogsRequest, 'id' | 'packing' | 'prefix'> {
  const choice = {
    stdout: query.truth('stdout'),
    stderr: query.truth('stderr'),
    follow: query.truth('follow'),
    sinceNs: query.time('since'),
    untilNs: query.time('until'),
    tail: tailOf(query.text('tail')),
    timestamps: query.truth('timestamps'),
    batched: false,
    after: '',
  };
  if (!choice.stdout && !choice.stderr) {
    throw new BadRequest('Bad parameters: you must choose at least one stream');
  }
  return choice;
}

function tailOf(text: string | undefined): number {
  return text === undefined || text === 'all' ? -1 : Math.max(-1, integerOf('tail', text));
}

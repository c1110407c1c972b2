import { type LogLine, LogStream, type ReadLogsRequest } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { Peers } from '../peers.ts';
import { BadRequest } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { frame, stderr, stdout, streamType } from './frames.ts';
import { integerOf, type Query } from './query.ts';
import { rfc3339Fixed } from './times.ts';
import { atLeast } from './version.ts';

/** How long a caller waits for an owner that is down; the kit's own measure. */
const ownerWaitMs = 2000;

/** Sends what a container wrote, complete to the last part of a line, and with `follow` what it writes from then on. */
export async function sendLogs(exchange: Exchange, peers: Peers): Promise<void> {
  const { query, path, signal } = exchange;
  const choice = logChoice(query);
  const target = await peers.containers.openStream({ container: path.id ?? '' });
  const batches = peers.streams.readLogs({ id: target.containerId, ...choice }, { signal })[Symbol.asyncIterator]();
  const first = batches.next();
  // A follower is answered before there is a line, but not before the log's owner is there.
  await (choice.follow ? Promise.race([first, peers.execdriver.ready(ownerWaitMs)]) : first);
  exchange.stream(streamType(target.tty, atLeast(exchange.version, '1.42')));
  const form = lineForm(query, target.tty);
  for (let next = await first; !next.done; next = await batches.next()) {
    const { more, ...line } = next.value;
    await exchange.write(Buffer.concat([line, ...more].map(form)));
  }
  exchange.end();
}

function logChoice(query: Query): Omit<ReadLogsRequest, 'id'> {
  const choice = {
    stdout: query.truth('stdout'),
    stderr: query.truth('stderr'),
    follow: query.truth('follow'),
    sinceNs: query.time('since'),
    untilNs: query.time('until'),
    tail: tailOf(query.text('tail')),
    batched: true,
  };
  if (!choice.stdout && !choice.stderr) {
    throw new BadRequest('Bad parameters: you must choose at least one stream');
  }
  return choice;
}

function tailOf(text: string | undefined): number {
  return text === undefined || text === 'all' ? -1 : Math.max(-1, integerOf('tail', text));
}

function lineForm(query: Query, tty: boolean): (line: LogLine) => Uint8Array {
  const timestamps = query.truth('timestamps');
  // What Docker puts here are attributes of log drivers' options, of which there are none.
  const details = query.truth('details') ? ' ' : '';
  return ({ stream, line, timeNs }) => {
    const head = `${timestamps ? `${rfc3339Fixed(timeNs)} ` : ''}${details}`;
    const bytes = head === '' ? line : Buffer.concat([Buffer.from(head), line]);
    return tty ? bytes : frame(stream === LogStream.LOG_STREAM_STDERR ? stderr : stdout, bytes);
  };
}

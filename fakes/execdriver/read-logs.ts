import {
  type LogLine as LogLineMessage,
  LogPacking,
  LogStream,
  type ReadLogsRequest,
  ReadLogsResponse,
} from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import type { LogLine } from './log.ts';
import { createOutbox } from './outbox.ts';
import { packLines } from './packed-lines.ts';

/** What a container wrote; with `follow`, on to its end. Of one that is not known there is nothing. */
export async function* readLogs(
  store: ContainerStore,
  request: ReadLogsRequest,
  signal: AbortSignal,
): AsyncGenerator<ReadLogsResponse, void, undefined> {
  if (!store.logReadable(request.id)) throw errors.logsUnreadable({});
  const log = store.logSoFar(request.id);
  if (log === undefined) return;
  const isPacked = request.packing !== LogPacking.LOG_PACKING_UNSPECIFIED;
  const after = isPacked && request.after !== '' ? Number(request.after) : undefined;
  const past = log.lines().filter((line) => wanted(line, request) && line.number > (after ?? 0));
  const skipped = request.tail < 0 || after !== undefined ? 0 : Math.max(0, past.length - request.tail);
  const run = request.follow ? store.living(request.id) : undefined;
  const outbox = createOutbox<LogLine>();
  const stop = log.follow((line) => wanted(line, request) && outbox.put(line, line.line.length));
  const deaf = run?.listen({ output: () => undefined, ended: outbox.end });
  if (run === undefined) outbox.end();
  signal.addEventListener('abort', outbox.end, { once: true });
  const messages = isPacked ? packedMessages : request.batched ? batches : singles;
  // An unfinished line of a process that goes on is told when it is finished.
  const finished = log.lines().filter(({ line }) => line.at(-1) === 10).length;
  const there = past.slice(skipped).filter((line) => run === undefined || !isPacked || line.number <= finished);
  try {
    yield* messages(there, request);
    if (isPacked && run !== undefined) yield ReadLogsResponse.create({ cursor: `${finished}` });
    for await (const line of outbox.messages()) yield* messages([line], request);
  } finally {
    stop();
    deaf?.();
    signal.removeEventListener('abort', outbox.end);
  }
}

const linesInMessage = 100;

function* packedMessages(lines: readonly LogLine[], request: ReadLogsRequest): Generator<ReadLogsResponse> {
  for (let at = 0; at < lines.length; at += linesInMessage) {
    const some = lines.slice(at, at + linesInMessage);
    yield ReadLogsResponse.create({ packed: packLines(some, request), cursor: `${some.at(-1)?.number ?? 0}` });
  }
}

function* batches(lines: readonly LogLine[]): Generator<ReadLogsResponse> {
  for (let at = 0; at < lines.length; at += linesInMessage) {
    const [first, ...more] = lines.slice(at, at + linesInMessage).map(message);
    if (first !== undefined) yield ReadLogsResponse.create({ ...first, more });
  }
}

function* singles(lines: readonly LogLine[]): Generator<ReadLogsResponse> {
  for (const line of lines) yield ReadLogsResponse.create(message(line));
}

function wanted({ stream, timeNs }: LogLine, request: ReadLogsRequest): boolean {
  return (
    request[stream] &&
    (request.sinceNs === 0n || timeNs >= request.sinceNs) &&
    (request.untilNs === 0n || timeNs <= request.untilNs)
  );
}

function message({ stream, line, timeNs }: LogLine): LogLineMessage {
  const number = stream === 'stdout' ? LogStream.LOG_STREAM_STDOUT : LogStream.LOG_STREAM_STDERR;
  return { stream: number, line, timeNs };
}

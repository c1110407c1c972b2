import {
  type LogLine as LogLineMessage,
  LogStream,
  type ReadLogsRequest,
  type ReadLogsResponse,
} from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import type { LogLine } from './log.ts';
import { createOutbox } from './outbox.ts';

/** What a container wrote; with `follow`, on to its end. Of one that is not known there is nothing. */
export async function* readLogs(
  store: ContainerStore,
  request: ReadLogsRequest,
  signal: AbortSignal,
): AsyncGenerator<ReadLogsResponse, void, undefined> {
  const driver = store.logDriver(request.id);
  if (driver === 'none') throw errors.logsUnreadable({ driver });
  const log = store.logSoFar(request.id);
  if (log === undefined) return;
  const past = log.lines().filter((line) => wanted(line, request));
  const tail = request.tail < 0 ? past : past.slice(past.length - Math.min(request.tail, past.length));
  const run = request.follow ? store.living(request.id) : undefined;
  const outbox = createOutbox<LogLine>();
  const stop = log.follow((line) => wanted(line, request) && outbox.put(line, line.line.length));
  const deaf = run?.listen({ output: () => undefined, ended: outbox.end });
  if (run === undefined) outbox.end();
  signal.addEventListener('abort', outbox.end, { once: true });
  try {
    if (request.batched) yield* batches(tail);
    else for (const line of tail) yield { ...message(line), more: [] };
    for await (const line of outbox.messages()) yield { ...message(line), more: [] };
  } finally {
    stop();
    deaf?.();
    signal.removeEventListener('abort', outbox.end);
  }
}

const linesInBatch = 100;

function* batches(lines: readonly LogLine[]): Generator<ReadLogsResponse> {
  for (let at = 0; at < lines.length; at += linesInBatch) {
    const [first, ...more] = lines.slice(at, at + linesInBatch).map(message);
    if (first !== undefined) yield { ...first, more };
  }
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

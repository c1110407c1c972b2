import type {
  AttachRequest,
  ReadLogsRequest,
  ReadLogsResponse,
} from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import {
  type AttachOpen,
  type LogLine as LogLineMessage,
  LogPacking,
  LogStream,
  type StreamServiceImplementation,
} from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { Attachment, Attachments } from './containers/attachments.ts';
import type { Container } from './containers/container.ts';
import { errors } from './errors.ts';
import { checkId } from './ids.ts';
import type { LogStream as Stream } from './logs/format.ts';
import type { LogLine } from './logs/lines.ts';
import type { Packing } from './logs/pack.ts';
import { readLog, readLogBytes, readPacked } from './logs/reader.ts';
import type { Paths } from './paths.ts';
import type { ClientFrame } from './stdio/client.ts';

export function streamService(parts: {
  containers: ReadonlyMap<string, Container>;
  attachments: Attachments;
  paths: Paths;
}): StreamServiceImplementation {
  const { containers, attachments, paths } = parts;
  return {
    async *attach(requests, { signal }) {
      const frames = requests[Symbol.asyncIterator]();
      const first = (await frames.next()).value?.frame;
      if (first?.$case !== 'open') throw errors.badFrame({ detail: 'the first frame of an attach opens it' });
      const open: AttachOpen = first.value;
      checkId(open.id);
      const container = containers.get(open.id);
      const fromLog = open.logs && container?.record.terms.logDriver !== 'none';
      const wanted = streamsOf(open);
      // What comes from the log is followed there too: so nothing comes twice, and nothing is missed in between.
      const attachment = attachments.attach(open.id, { ...open, streams: fromLog ? [] : wanted });
      try {
        if (signal.aborted) return;
        signal.addEventListener('abort', () => attachment.close(), { once: true });
        void passOn(frames, open.id, attachment, attachments);
        const isRunning = container?.isLiving ?? false;
        yield { frame: { $case: 'ready', value: { tty: container?.record.terms.tty ?? false, running: isRunning } } };
        if (fromLog) {
          const until = open.follow && isRunning ? container?.ended.then(() => {}) : undefined;
          for await (const frame of readLogBytes(paths.logDirectoryOf(open.id), { streams: wanted, until }, signal)) {
            yield { frame: frameOf(frame) };
          }
          if (!open.follow) return;
        }
        for await (const frame of attachment.client.frames()) yield { frame: frameOf(frame) };
      } finally {
        attachment.close();
      }
    },

    async *readLogs(request, { signal }) {
      checkId(request.id);
      const container = containers.get(request.id);
      const { logDriver, isLogUnreadable } = container?.record.terms ?? {};
      if (logDriver === 'none' || isLogUnreadable) throw errors.logsUnreadable({});
      const query = {
        streams: streamsOf(request),
        tail: request.tail < 0 ? undefined : request.tail,
        sinceNs: request.sinceNs,
        untilNs: request.untilNs,
        after: packings[request.packing] === undefined ? '' : request.after,
        until: request.follow && container?.isLiving ? container.ended.then(() => {}) : undefined,
      };
      const directory = paths.logDirectoryOf(request.id);
      const packing = packings[request.packing];
      if (packing !== undefined) {
        yield* readPacked(directory, query, { ...request, packing }, signal);
        return;
      }
      for await (const { lines } of readLog(directory, query, signal)) {
        yield* request.batched ? batches(lines) : lines.map(lineMessage);
      }
    },
  };
}

function streamsOf({ stdout, stderr }: Pick<ReadLogsRequest, 'stdout' | 'stderr'>): Set<Stream> {
  return new Set<Stream>([...(stdout ? (['stdout'] as const) : []), ...(stderr ? (['stderr'] as const) : [])]);
}

/** Hands a client's frames to the container, as fast as it takes them. */
async function passOn(
  frames: AsyncIterator<AttachRequest>,
  id: string,
  attachment: Attachment,
  attachments: Attachments,
): Promise<void> {
  try {
    for (let next = await frames.next(); !next.done; next = await frames.next()) {
      const { frame } = next.value;
      if (frame?.$case === 'stdin') await attachment.write(frame.value);
      else if (frame?.$case === 'resize') attachments.resize(id, frame.value);
      else if (frame?.$case === 'closeStdin') attachment.closeInput();
    }
    // The end of what a client sends is the end of its input, not of its interest.
    attachment.closeInput();
  } catch {
    // The client is gone; the call's end tells everybody who has to know.
  }
}

function frameOf(frame: ClientFrame) {
  if ('exit' in frame) return { $case: 'exit' as const, value: { code: frame.exit } };
  return { $case: frame.stream, value: frame.bytes };
}

const streams: Readonly<Record<Stream, LogStream>> = {
  stdout: LogStream.LOG_STREAM_STDOUT,
  stderr: LogStream.LOG_STREAM_STDERR,
};

const packings: Readonly<Partial<Record<LogPacking, Packing>>> = {
  [LogPacking.LOG_PACKING_LINES]: 'lines',
  [LogPacking.LOG_PACKING_RUNS]: 'runs',
  [LogPacking.LOG_PACKING_BARE]: 'bare',
};

function lineMessage({ stream, line, timeNs }: LogLine): LogLineMessage {
  return { stream: streams[stream], line, timeNs };
}

const batchBytes = 256 * 1024;

type Batch = LogLineMessage & Pick<ReadLogsResponse, 'more'>;

/** Lines by the message, each message well below the largest that may be sent. */
function* batches(lines: readonly LogLine[]): Generator<Batch> {
  let batch: Batch | undefined;
  let size = 0;
  for (const line of lines) {
    if (batch !== undefined && size + line.line.length > batchBytes) {
      yield batch;
      batch = undefined;
    }
    if (batch === undefined) [batch, size] = [{ ...lineMessage(line), more: [] }, 0];
    else batch.more.push(lineMessage(line));
    size += line.line.length;
  }
  if (batch !== undefined) yield batch;
}

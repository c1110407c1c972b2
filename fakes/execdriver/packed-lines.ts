import { LogPacking, type ReadLogsRequest } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { LogLine } from './log.ts';

type Form = Pick<ReadLogsRequest, 'packing' | 'timestamps' | 'prefix'>;

/** Lines as `packing` says. */
export function packLines(lines: readonly LogLine[], form: Form): Buffer {
  const pieces = lines.map((line) => ({ stream: line.stream, bytes: formed(line, form) }));
  if (form.packing === LogPacking.LOG_PACKING_BARE) return Buffer.concat(pieces.map(({ bytes }) => bytes));
  const runs: { stream: LogLine['stream']; bytes: Buffer }[] = [];
  for (const piece of pieces) {
    const last = runs.at(-1);
    const joins = form.packing === LogPacking.LOG_PACKING_RUNS && last?.stream === piece.stream;
    if (last !== undefined && joins && last.bytes.length + piece.bytes.length <= longestRun) {
      last.bytes = Buffer.concat([last.bytes, piece.bytes]);
    } else {
      runs.push({ ...piece });
    }
  }
  return Buffer.concat(runs.flatMap(({ stream, bytes }) => [headOf(stream, bytes.length), bytes]));
}

const longestRun = 32 * 1024;

function formed({ line, timeNs }: LogLine, { timestamps, prefix }: Form): Buffer {
  return Buffer.concat([Buffer.from(timestamps ? `${timeText(timeNs)} ` : ''), prefix, line]);
}

function timeText(timeNs: bigint): string {
  const second = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19);
  return `${second}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}Z`;
}

function headOf(stream: LogLine['stream'], length: number): Buffer {
  const head = Buffer.alloc(8);
  head[0] = stream === 'stdout' ? 1 : 2;
  head.writeUInt32BE(length, 4);
  return head;
}

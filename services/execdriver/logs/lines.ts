import { type LogStream, streamNames } from './format.ts';
import { headLength, stampLength } from './pack.ts';

/** A line as the container wrote it, with its line end; or a piece of one that has none (yet). */
export interface LogLine {
  stream: LogStream;
  line: Buffer;
  /** When its first byte was read. */
  timeNs: bigint;
}

/** What stands behind each head. The bytes are views. */
export function* unpackRuns(packed: Buffer): Generator<{ stream: LogStream; bytes: Buffer }> {
  for (let at = 0; at < packed.length; ) {
    const end = at + headLength + packed.readUInt32BE(at + 4);
    yield { stream: streamNames[packed[at] === 2 ? 2 : 1], bytes: packed.subarray(at + headLength, end) };
    at = end;
  }
}

/** Lines that were packed each behind its head and its time. */
export function unpackLines(packed: Buffer): LogLine[] {
  const lines: LogLine[] = [];
  let known = { second: '', ns: 0n };
  for (const { stream, bytes } of unpackRuns(packed)) {
    const second = bytes.toString('latin1', 0, 19);
    if (second !== known.second) known = { second, ns: BigInt(Date.parse(`${second}Z`)) * 1_000_000n };
    const timeNs = known.ns + BigInt(bytes.toString('latin1', 20, 29));
    lines.push({ stream, line: bytes.subarray(stampLength), timeNs });
  }
  return lines;
}

import { timeAt, utcLength, utcText } from './format.ts';

/** Compares records' times with one that was asked for, in nanoseconds since 1970. */
export interface Bound {
  isAfter(bytes: Buffer, start: number, isUtc: boolean): boolean;
  isBefore(bytes: Buffer, start: number, isUtc: boolean): boolean;
}

/** The last second of the year 9999: times beyond have no text of the same length. */
const latestNs = 253_402_300_799n * 1_000_000_000n;

/** Undefined for 0, which is none. In UTC the texts sort as the times do, which is much faster than to parse each. */
export function boundOf(timeNs: bigint): Bound | undefined {
  if (timeNs === 0n) return undefined;
  const within = timeNs < 0n ? 0n : timeNs > latestNs ? latestNs : timeNs;
  const text = Buffer.from(utcText(within), 'latin1');
  const compared = (bytes: Buffer, start: number, isUtc: boolean): number => {
    if (isUtc) return bytes.compare(text, 0, utcLength, start, start + utcLength);
    const time = timeAt(bytes, start) ?? 0n;
    return time < within ? -1 : time > within ? 1 : 0;
  };
  return {
    isAfter: (bytes, start, isUtc) => compared(bytes, start, isUtc) > 0,
    isBefore: (bytes, start, isUtc) => compared(bytes, start, isUtc) < 0,
  };
}

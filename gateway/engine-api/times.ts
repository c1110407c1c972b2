/** Go's zero time: what Docker shows for "never". */
const never = '0001-01-01T00:00:00Z';

/** RFC 3339 with nanoseconds, as Docker writes times. */
export function rfc3339(timeNs: bigint): string {
  if (timeNs === 0n) return never;
  const seconds = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19);
  const fraction = (timeNs % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

export const secondsOf = (timeNs: bigint): number => Number(timeNs / 1_000_000_000n);

/** As in logs: always nine digits, so that lines sort. */
export function rfc3339Fixed(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${(timeNs % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}

/** Undefined when it is not one. */
export function parseRfc3339(text: string): bigint | undefined {
  const [, whole, fraction = '', zone] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const milliseconds = whole === undefined ? Number.NaN : Date.parse(`${whole}${zone}`);
  return Number.isNaN(milliseconds) ? undefined : BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

const unitsNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Seconds since 1970, RFC 3339, or how long ago in Go's notation, `1h30m`: as nanoseconds. Undefined when it is neither. */
export function timeBefore(text: string, nowNs = BigInt(Date.now()) * 1_000_000n): bigint | undefined {
  const [, seconds, fraction] = /^(\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(text) ?? [];
  if (seconds !== undefined) return BigInt(seconds) * 1_000_000_000n + BigInt((fraction ?? '').padEnd(9, '0'));
  if (/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
    const ago = parts.reduce((sum, [, count = '0', unit = 's']) => sum + Number(count) * (unitsNs[unit] ?? 0), 0);
    return nowNs - BigInt(Math.round(ago));
  }
  return parseRfc3339(text);
}

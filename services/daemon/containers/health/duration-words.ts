const [second, minute, hour] = [1_000_000_000n, 60_000_000_000n, 3_600_000_000_000n];
const small = [
  ['ms', 1_000_000n],
  ['µs', 1_000n],
  ['ns', 1n],
] as const;

/** Nanoseconds as Go prints a duration: `1m30s`, `500ms`, `1.5s`. */
export function durationWords(ns: bigint): string {
  if (ns === 0n) return '0s';
  const [unit, size] = small.find(([, each]) => ns >= each) ?? ['ns', 1n];
  if (ns < second) return `${decimal(ns, size)}${unit}`;
  const [hours, minutes] = [ns / hour, (ns % hour) / minute];
  const prefix = hours > 0n ? `${hours}h${minutes}m` : minutes > 0n ? `${minutes}m` : '';
  return `${prefix}${decimal(ns % minute, second)}s`;
}

function decimal(ns: bigint, unit: bigint): string {
  const digits = String(unit).length - 1;
  const fraction = (ns % unit).toString().padStart(digits, '0').replace(/0+$/, '');
  return `${ns / unit}${digits === 0 || fraction === '' ? '' : `.${fraction}`}`;
}

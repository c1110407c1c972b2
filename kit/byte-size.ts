const units = ['', 'k', 'm', 'g', 't', 'p'];

/** Reads a size as Docker's options have it: `10G`, `512mb`, `1.5GiB`, `4096`; units are powers of 1024. Undefined for others. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const [, number = '', unit = ''] = match;
  const bytes = Math.floor(Number(number) * 1024 ** units.indexOf(unit.toLowerCase()));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

import { readFileSync } from 'node:fs';
import { hasCode } from '../../../kit/linux/system-error.ts';

/** A kernel file's text; empty when this kernel, or this cgroup, hasn't got it. */
export function readKernelFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP', 'EINVAL', 'ESRCH')) return '';
    throw error;
  }
}

/** A file of one number; `max`, or nothing, is 0. */
export function readNumber(path: string): number {
  const value = Number(readKernelFile(path).trim());
  return Number.isFinite(value) ? value : 0;
}

/** Lines of a name and a number. */
export function readTable(path: string): Map<string, bigint> {
  const rows = readKernelFile(path).matchAll(/^(\S+) (\d+)$/gm);
  return new Map([...rows].map(([, name = '', value = '0']) => [name, BigInt(value)]));
}

import type { LayerId } from './driver.ts';
import { errors } from './errors.ts';

/** Reads of request fields; what is malformed is refused with the field's name. */

export function layerId(field: string, value: string): LayerId {
  if (!/^[0-9a-f]{64}$/.test(value)) throw errors.badId({ field, value });
  return value;
}

export function optionalLayerId(field: string, value: string): LayerId | undefined {
  return value === '' ? undefined : layerId(field, value);
}

export function optionalDigest(field: string, value: string): string {
  if (value !== '' && !/^sha256:[0-9a-f]{64}$/.test(value)) {
    throw errors.badRequest({ field, problem: `must be sha256: and 64 hex digits, not ${JSON.stringify(value)}` });
  }
  return value;
}

export function holder(value: string): string {
  if (value === '' || value.length > 255) {
    throw errors.badRequest({ field: 'holder', problem: 'must be a name of 1 to 255 characters' });
  }
  return value;
}

/** A path relative to the data root that names one file in one way. */
export function relativePath(field: string, value: string): string {
  const parts = value.split('/');
  if (value.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw errors.badRequest({
      field,
      problem: `must be a plain path relative to the data root, not ${JSON.stringify(value)}`,
    });
  }
  return value;
}

const longestLabel = 4096;

export function labels(value: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [key, text] of Object.entries(value)) {
    if (key === '') throw errors.badRequest({ field: 'labels', problem: 'has a label without a key' });
    if (Buffer.byteLength(key) + Buffer.byteLength(text) > longestLabel) {
      const problem = `has a label longer than ${longestLabel} bytes: ${key.slice(0, 64)}`;
      throw errors.badRequest({ field: 'labels', problem });
    }
  }
  return value;
}

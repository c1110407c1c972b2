import { posix } from 'node:path';
import type { ContainerSpec } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';
import type { Terms } from './record.ts';

const defaultMaxSize = 10 * 1024 * 1024;
const defaultMaxFiles = 3;

/** Both are names for what is kept here. */
const keptDrivers = ['', 'json-file', 'local'];

/** What of a spec matters after the start. Throws BAD_SPEC. */
export function termsOf(id: string, spec: ContainerSpec, runtime: string, engineParent: string, shm: string): Terms {
  const driver = spec.log?.driver ?? '';
  if (driver !== 'none' && !keptDrivers.includes(driver)) {
    const detail = `unknown log driver ${JSON.stringify(driver)}: json-file, local and none are kept here`;
    throw errors.badSpec({ field: 'log.driver', detail });
  }
  const options = spec.log?.options ?? {};
  return {
    containerName: spec.containerName,
    runtime,
    cgroup: posix.join('/', spec.cgroupParent.replaceAll('..', '') || engineParent, id),
    additionalGroups: spec.additionalGroups,
    shm,
    limitsMemory: (spec.resources?.memory ?? 0) > 0,
    tty: spec.tty,
    openStdin: spec.openStdin,
    stdinOnce: spec.stdinOnce,
    logDriver: driver || 'json-file',
    logMaxSize: options['max-size'] === undefined ? defaultMaxSize : parseSize(options['max-size']),
    logMaxFiles: options['max-file'] === undefined ? defaultMaxFiles : parseCount(options['max-file']),
  };
}

const units: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `10m`, `1.5g`, `-1`: never. */
function parseSize(text: string): number {
  if (text === '-1') return 0;
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim());
  const size = match ? Math.floor(Number(match[1]) * (units[match[2]?.toLowerCase() || 'b'] ?? 1)) : 0;
  if (size <= 0) throw errors.badSpec({ field: 'log.options', detail: `invalid size: '${text}'` });
  return size;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) {
    const detail = `invalid value for 'max-file': ${JSON.stringify(text)}: a whole number from 1 on`;
    throw errors.badSpec({ field: 'log.options', detail });
  }
  return count;
}

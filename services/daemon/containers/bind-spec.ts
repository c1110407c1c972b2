import type { MountPoint } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';

const propagations = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']);
/** Accepted and of no effect on Linux, or handled elsewhere. */
const consistencies = new Set(['consistent', 'cached', 'delegated']);
const volumeName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** `source:destination[:mode]`, or a destination alone for an anonymous volume. BAD_CONFIG. */
export function parseBind(spec: string, volumeDriver: string): MountPoint {
  const parts = spec.split(':');
  const [first = '', second, mode = ''] = parts;
  if (parts.length > 3 || parts.some((part) => part === '') || spec === '') throw invalid(spec);
  if (second === undefined) return { ...volumePoint(first, spec), driver: volumeDriver, anonymous: true };

  const options = parseMode(mode);
  if (first.startsWith('/')) {
    return {
      ...volumePoint(second, spec),
      ...options,
      type: 'bind',
      source: clean(first),
      propagation: options.propagation || 'rprivate',
    };
  }
  if (!volumeName.test(first)) {
    const problem =
      `create ${first}: "${first}" includes invalid characters for a local volume name, only ` +
      '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path';
    throw errors.badConfig({ field: 'binds', problem });
  }
  if (options.propagation !== '') throw invalid(spec);
  return { ...volumePoint(second, spec), ...options, name: first, driver: volumeDriver };
}

function volumePoint(destination: string, spec: string): MountPoint {
  return { ...mountPoint('volume', checkedDestination(destination, spec)), mode: '' };
}

/** A mount with nothing said of it but where it is. */
export function mountPoint(type: string, destination: string): MountPoint {
  return {
    type,
    destination,
    name: '',
    source: '',
    driver: '',
    mode: '',
    readWrite: true,
    propagation: '',
    anonymous: false,
    noCopy: false,
    tmpfsOptions: [],
  };
}

function parseMode(mode: string): Pick<MountPoint, 'mode' | 'readWrite' | 'noCopy' | 'propagation'> {
  const words = mode === '' ? [] : mode.split(',');
  const chosen = words.filter((word) => propagations.has(word));
  const access = words.filter((word) => word === 'ro' || word === 'rw');
  const labels = words.filter((word) => word === 'z' || word === 'Z');
  const known = words.every(
    (word) => [...chosen, ...access, ...labels].includes(word) || word === 'nocopy' || consistencies.has(word),
  );
  if (!known || chosen.length > 1 || access.length > 1 || labels.length > 1) {
    throw errors.badConfig({ field: 'binds', problem: `invalid mode: ${mode}` });
  }
  return {
    mode,
    readWrite: !access.includes('ro'),
    noCopy: words.includes('nocopy'),
    propagation: chosen[0] ?? '',
  };
}

/** Absolute, cleaned, and not the root. */
export function checkedDestination(destination: string, spec: string): string {
  if (!destination.startsWith('/')) {
    const problem = `invalid volume specification: '${spec}': invalid mount path: '${destination}' mount path must be absolute`;
    throw errors.badConfig({ field: 'binds', problem });
  }
  const cleaned = clean(destination);
  if (cleaned === '/') {
    const problem = `invalid volume specification: '${spec}': invalid specification: destination can't be '/'`;
    throw errors.badConfig({ field: 'binds', problem });
  }
  return cleaned;
}

/** Without `.`, `..` and doubled slashes. */
export function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function invalid(spec: string) {
  return errors.badConfig({ field: 'binds', problem: `invalid volume specification: '${spec}'` });
}

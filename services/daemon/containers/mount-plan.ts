import { createHash } from 'node:crypto';
import type { HostConfig, MountConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { MountPoint } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { checkedDestination, clean, mountPoint, parseBind } from './bind-spec.ts';
import type { ContainerRecord } from './record.ts';

/** A mount, and of a volume that is made for it, how. */
export interface PlannedMount {
  point: MountPoint;
  labels: { [key: string]: string };
  options: { [key: string]: string };
}

/**
 * What a container mounts, by what its user said: binds and mounts, then tmpfs, then what it takes from other containers,
 * then anonymous volumes where nothing else is. BAD_CONFIG for two mounts at one place.
 */
export function planMounts(
  id: string,
  host: HostConfig,
  volumes: readonly string[],
  find: (reference: string) => ContainerRecord,
): PlannedMount[] {
  const planned = new Map<string, PlannedMount>();
  const add = (mount: PlannedMount) => {
    const { destination } = mount.point;
    if (planned.has(destination)) {
      throw errors.badConfig({ field: 'mounts', problem: `Duplicate mount point: ${destination}` });
    }
    planned.set(destination, mount);
  };
  for (const spec of host.binds) add(plain(named(id, parseBind(spec, host.volumeDriver))));
  for (const mount of host.mounts) add(configured(id, mount));
  for (const [destination, options] of Object.entries(host.tmpfs)) {
    const point = mountPoint('tmpfs', checkedDestination(destination, destination));
    add(plain({ ...point, tmpfsOptions: options === '' ? [] : options.split(',') }));
  }
  // What the container says of a place itself comes before what another has there.
  for (const point of host.volumesFrom.flatMap((from) => borrowed(from, find))) {
    if (!planned.has(point.destination)) planned.set(point.destination, plain(point));
  }
  for (const volume of anonymousVolumes(id, volumes, host.volumeDriver)) {
    if (!planned.has(volume.point.destination)) planned.set(volume.point.destination, volume);
  }
  return [...planned.values()];
}

/** One for each place, as an image's or a user's config names them. */
export function anonymousVolumes(id: string, destinations: readonly string[], driver: string): PlannedMount[] {
  return destinations.map((destination) => {
    const point = mountPoint('volume', checkedDestination(destination, destination));
    return plain(named(id, { ...point, driver, anonymous: true }));
  });
}

/** A repeated request finds the anonymous volume that the first made: its name comes from the container and the place. */
function named(id: string, point: MountPoint): MountPoint {
  if (point.type !== 'volume' || point.name !== '') return point;
  return { ...point, anonymous: true, name: createHash('sha256').update(`${id} ${point.destination}`).digest('hex') };
}

function plain(point: MountPoint): PlannedMount {
  return { point, labels: {}, options: {} };
}

function configured(id: string, mount: MountConfig): PlannedMount {
  const refuse = (problem: string) =>
    errors.badConfig({ field: 'mounts', problem: `invalid mount config for type "${mount.type}": ${problem}` });
  if (mount.target === '') throw refuse('field Target must not be empty');
  if (!mount.target.startsWith('/')) throw refuse(`invalid mount path: '${mount.target}' mount path must be absolute`);
  if (clean(mount.target) === '/') throw refuse("invalid specification: destination can't be '/'");
  const point = { ...mountPoint(mount.type, clean(mount.target)), readWrite: !mount.readOnly };
  switch (mount.type) {
    case 'bind':
      if (mount.source === '') throw refuse('field Source must not be empty');
      if (!mount.source.startsWith('/')) {
        throw refuse(`invalid mount path: '${mount.source}' mount path must be absolute`);
      }
      return plain({
        ...point,
        source: clean(mount.source),
        propagation: mount.propagation || 'rprivate',
      });
    case 'volume':
      return {
        point: named(id, { ...point, name: mount.source, driver: mount.volumeDriver, noCopy: mount.noCopy }),
        labels: mount.volumeLabels,
        options: mount.volumeOptions,
      };
    case 'tmpfs': {
      if (mount.source !== '') throw refuse('field Source must not be specified');
      const size = mount.tmpfsSize > 0 ? [`size=${mount.tmpfsSize}`] : [];
      const mode = mount.tmpfsMode > 0 ? [`mode=${mount.tmpfsMode.toString(8)}`] : [];
      return plain({ ...point, tmpfsOptions: [...size, ...mode, ...(mount.readOnly ? ['ro'] : [])] });
    }
    default:
      throw errors.badConfig({ field: 'mounts', problem: `mount type unknown: "${mount.type}"` });
  }
}

function borrowed(from: string, find: (reference: string) => ContainerRecord): MountPoint[] {
  const [reference = '', mode = ''] = from.split(':');
  if (reference === '' || !['', 'ro', 'rw', 'z', 'Z'].includes(mode)) {
    throw errors.badConfig({ field: 'volumes_from', problem: `invalid volumes-from specification: '${from}'` });
  }
  return find(reference)
    .mounts.filter((point) => point.type !== 'tmpfs')
    .map((point) => ({ ...point, readWrite: point.readWrite && mode !== 'ro' }));
}

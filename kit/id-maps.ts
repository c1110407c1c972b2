import type { IdMaps, IdRange } from '../proto/gen/longshore/contract/v1/id_maps.ts';

/** What the kernel shows for an id that has no counterpart: /proc/sys/kernel/overflowuid. */
export const nobody = 65_534;

/** The id on the host of one in a container; undefined when it has none. */
export function toHost(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ containerId, count }) => containerId <= id && id < containerId + count);
  return range && range.hostId + (id - range.containerId);
}

/** The id in a container of one on the host, as the container sees it. */
export function toContainer(ranges: readonly IdRange[], id: number): number {
  const range = ranges.find(({ hostId, count }) => hostId <= id && id < hostId + count);
  return range === undefined ? nobody : range.containerId + (id - range.hostId);
}

export interface Owner {
  uid: number;
  gid: number;
}

/** Who on the host is root in a container; root itself without maps. */
export function rootOf(maps: IdMaps | undefined): Owner {
  if (maps === undefined) return { uid: 0, gid: 0 };
  return { uid: toHost(maps.uids, 0) ?? 0, gid: toHost(maps.gids, 0) ?? 0 };
}

/** As /proc/PID/uid_map is written. */
export function mapText(ranges: readonly IdRange[]): string {
  return ranges.map(({ containerId, hostId, count }) => `${containerId} ${hostId} ${count}\n`).join('');
}

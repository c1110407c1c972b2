import type { VolumeRecord } from './volume-records.ts';

export interface VolumeFilter {
  /** An empty value asks for the label alone. */
  labels: Readonly<Record<string, string>>;
  /** Parts of names. */
  names: readonly string[];
  drivers: readonly string[];
  /** Only volumes without (true) or with (false) a holder. */
  dangling?: boolean | undefined;
}

/** Every kind of filter must match; of one kind, any name or driver, but all labels. */
export function matches(
  volume: Pick<VolumeRecord, 'name' | 'driver' | 'labels'>,
  holders: readonly string[],
  filter: VolumeFilter,
): boolean {
  const { names, drivers, labels, dangling } = filter;
  return (
    (names.length === 0 || names.some((name) => volume.name.includes(name))) &&
    (drivers.length === 0 || drivers.includes(volume.driver)) &&
    (dangling === undefined || (holders.length === 0) === dangling) &&
    Object.entries(labels).every(([key, value]) => {
      const found = volume.labels[key];
      return found !== undefined && (value === '' || value === found);
    })
  );
}

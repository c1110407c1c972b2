/**
 * A driver keeps volumes. Every call may be repeated: making what is there and removing what is gone succeed. The calls for
 * one volume come one at a time.
 */
export interface VolumeDriver {
  readonly name: string;
  /** `local`: a volume is of this host alone. */
  readonly scope: string;
  /** Refuses options that it doesn't know, before anything is written: BAD_OPTION. */
  check(name: string, options: Readonly<Record<string, string>>): void;
  /** Where containers find the volume's files. Absolute. */
  mountpoint(name: string): string;
  create(name: string): Promise<void>;
  /** Makes the files available at the mountpoint. MOUNT_FAILED. */
  mount(name: string, options: Readonly<Record<string, string>>): Promise<void>;
  /** Ends that; files that stay where they are need nothing. */
  unmount(name: string, options: Readonly<Record<string, string>>): Promise<void>;
  /** With all its files; what was mounted there is kept. VOLUME_BUSY. */
  remove(name: string): Promise<void>;
  /** Volumes that are there but not known. Those that are known are not touched: what is mounted there may hang. */
  list(isKnown: (name: string) => boolean): Promise<string[]>;
}

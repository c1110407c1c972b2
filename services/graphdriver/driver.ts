import type { DifferenceSource } from './tree/difference.ts';
import type { UnpackTarget } from './unpack/unpacker.ts';

/** 64 hex digits, the caller's choice. */
export type LayerId = string;

export const driverNames = ['overlay2', 'btrfs', 'vfs'] as const;
export type DriverName = (typeof driverNames)[number];

/**
 * A driver keeps layers on disk, below a directory of its own (its *home*).
 *
 * A *layer* is the difference to its parent; its *ancestors* are its parent, that one's parent and so on, nearest first; a
 * *chain* is a layer with its ancestors. A layer is *sealed* (unpacked from an archive once, never written again) or
 * *writable* (created empty on top of a sealed one). The *view* of a layer is a directory that shows the chain's files
 * merged.
 *
 * A driver knows no parents, holders or records: its caller tells it the ancestors each time, never uses a layer that isn't
 * whole, and does one thing at a time with one layer. Whatever a driver makes appears under its final name at once and
 * whole; what a crash leaves has another name, and `sweep` deletes it.
 *
 *     stage → (unpack into it) → seal      a sealed layer
 *     create                               a writable layer
 *     mount ⇄ unmount                      its view
 *     remove → sweep                       its end
 */
export interface LayerDriver {
  readonly name: DriverName;
  /** Rows for `docker info`. */
  readonly status: readonly { name: string; value: string }[];

  /** The layers that are here, whole ones. */
  list(): Set<LayerId>;

  /** Makes an empty writable layer. What is there under its name is taken away first. An option it lacks: BAD_OPTION. */
  create(layer: LayerId, ancestors: readonly LayerId[], options: LayerOptions): Promise<void>;
  /** Makes a place to unpack a sealed layer into. Two stagings of one layer don't meet. */
  stage(layer: LayerId, ancestors: readonly LayerId[]): Promise<Staging>;
  /** Gives a staging its final name. Its files are on the disk already; the name is when this returns. */
  seal(layer: LayerId, staging: Staging): void;
  /** Takes a staging away. */
  discard(staging: Staging): void;

  /** Makes the view and gives its absolute path. */
  mount(layer: LayerId, chain: Chain): Promise<string>;
  /**
   * Ends the view; does nothing when there is none. Programs that work in it go on until they leave it, and what was changed
   * may still be on its way to the disk.
   */
  unmount(layer: LayerId): void;
  /** The layers whose view is a mount now, whoever made it. */
  mounted(): Set<LayerId>;
  /** Whether the view of such a layer is a mount (else it is a directory that is always there). */
  isMountNeeded(chain: Pick<Chain, 'isWritable'>): boolean;

  /** Takes a layer away at once; its files are deleted by `sweep`. Does nothing when there is none. */
  remove(layer: LayerId): void;
  /** Deletes what removals and crashes left; gives the number of layers. Problems are thrown together at the end. */
  sweep(): Promise<number>;

  /** Its parts on this host, by the names that `docker inspect` has for them; none where it has none. */
  directories(layer: LayerId, ancestors: readonly LayerId[]): Readonly<Record<string, string>>;

  /** Where the layer's difference to its parent is read. */
  difference(layer: LayerId, chain: Chain): DifferenceSource;
}

/** What is above and below a layer. */
export interface Chain {
  ancestors: readonly LayerId[];
  isWritable: boolean;
  /** Files are shown as they are on the disk, whatever id maps the driver has. */
  hostIds?: boolean;
}

/** The user's options for a writable layer, as `size` → `10G`. */
export type LayerOptions = Readonly<Record<string, string>>;

/** A layer that is being unpacked. */
export interface Staging {
  /** The staging's name in the driver's home. */
  name: string;
  /** Where and how to unpack. */
  target: UnpackTarget;
}

import type { Digest } from './digest.ts';

/** A layer that graphdriver has made from one of our blobs. */
export interface Layer {
  id: string;
  diffId: string;
  size: number;
}

export interface ListedLayer {
  id: string;
  /** Empty: it has none. */
  parent: string;
  /** Made by this store, and so its to remove. */
  isOurs: boolean;
}

export interface LayerToApply {
  id: string;
  parent: string | undefined;
  diffId: Digest;
  blob: Digest;
}

/** What the image store wants of the layer store. Implemented over graphdriver's contract (graphdriver.ts). */
export interface Layers {
  find(id: string): Promise<Layer | undefined>;
  /** Makes the layer from a blob. `sent` is told of bytes that went over the wire, if they do. */
  apply(layer: LayerToApply, sent: (bytes: number) => void, signal: AbortSignal): Promise<Layer>;
  /** Gone afterwards; or still there, and false, because something of another owner stands on it. */
  remove(id: string): Promise<boolean>;
  /** All sealed layers. */
  list(): Promise<ListedLayer[]>;
  close(): void;
}

import { mostLayers } from './archive/image-archive.ts';
import type { Ingested } from './content.ts';
import { chainIds, type Digest } from './digest.ts';
import type { Graph } from './graph.ts';
import { diffIdsOf, parseImageFile } from './image-file.ts';
import { longestDocument } from './json.ts';
import type { Layer } from './layers.ts';
import type { Lease } from './leases.ts';

/**
 * Layers that are made while their archive is still on its way. What lies on what is told by an image's config, for certain only
 * by manifest.json, which comes last; but whoever writes an archive writes the layers of an image lowest first. A wrong guess is
 * a layer of no image, which goes with the lease.
 */
export interface EarlyLayers {
  /** A file of the archive has come, in its order. */
  came(file: Ingested): void;
  /** No further ones are begun. */
  close(): void;
  /** The layer that is being made, or is made. */
  find(id: string): Promise<Layer> | undefined;
  /** Cancels what is being made; resolves when nothing is under way. */
  end(): Promise<void>;
}

interface Place {
  diffId: Digest;
  id: string;
  parent: string | undefined;
}

/** So many layers are noted from the configs of an archive: some dozen images. What comes after is made when the manifest has come. */
const mostKnown = 2000;

export function earlyLayers(
  graph: Pick<Graph, 'content' | 'layers'>,
  lease: Lease,
  cancelled: AbortSignal,
): EarlyLayers {
  const { content, layers } = graph;
  const ending = new AbortController();
  const signal = AbortSignal.any([cancelled, ending.signal]);
  const begun = new Map<string, Promise<Layer>>();
  const arrived = new Set<Digest>();
  /** By the configs that have come. */
  const known: Place[] = [];
  /** The layers of the first image, as long as its config has not come. */
  const guessed: Digest[] = [];
  let isClosed = false;
  let work: Promise<void> = Promise.resolve();

  async function make({ diffId, id, parent }: Place): Promise<void> {
    await lease.hold(id);
    if (isClosed) return;
    const layer = layers
      .find(id)
      .then((made) => made ?? layers.apply({ id, parent, diffId, blob: diffId }, () => {}, signal));
    begun.set(id, layer);
    await layer;
  }

  async function look({ digest, size, stored }: Ingested): Promise<void> {
    await stored;
    const head = await content.head(digest);
    if (isLayer(head)) {
      arrived.add(digest);
      if (known.length === 0 && guessed.length < mostLayers) {
        guessed.push(digest);
        await make(top(guessed));
      }
    } else if (size <= longestDocument && head[0] === openBrace) {
      const diffIds = diffIdsIn((await content.read(digest, longestDocument)) ?? head);
      if (diffIds.length <= mostLayers && known.length < mostKnown) known.push(...places(diffIds));
    }
    for (const place of known) {
      const { id, parent, diffId } = place;
      if (!begun.has(id) && arrived.has(diffId) && (parent === undefined || begun.has(parent))) await make(place);
    }
  }

  return {
    came(file) {
      work = work.then(async () => {
        if (!isClosed) await look(file);
      });
      work = work.catch(() => {
        // It will show again where it can be told.
        isClosed = true;
      });
    },
    close() {
      isClosed = true;
    },
    find: (id) => begun.get(id),
    async end() {
      isClosed = true;
      ending.abort();
      await work;
      await Promise.allSettled(begun.values());
    },
  };
}

const openBrace = '{'.charCodeAt(0);
/** POSIX, ustar interchange format. */
const magic = { at: 257, text: 'ustar' };

/** An uncompressed tar: then its digest is its diff id. An archive without entries is all zeros. */
function isLayer(head: Buffer): boolean {
  const isEmpty = head.length > magic.at && head.every((byte) => byte === 0);
  return isEmpty || head.toString('latin1', magic.at, magic.at + magic.text.length) === magic.text;
}

function places(diffIds: readonly Digest[]): Place[] {
  const ids = chainIds(diffIds);
  return diffIds.map((diffId, i) => ({ diffId, id: ids[i] ?? '', parent: ids[i - 1] }));
}

function top(diffIds: readonly Digest[]): Place {
  const [last] = places(diffIds).slice(-1);
  if (last === undefined) throw new RangeError('a stack without layers');
  return last;
}

/** None where it is no image's config. */
function diffIdsIn(document: Buffer): readonly Digest[] {
  try {
    return diffIdsOf(parseImageFile(document, 'the config'));
  } catch {
    return [];
  }
}

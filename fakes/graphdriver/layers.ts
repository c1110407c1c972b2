import { createHash } from 'node:crypto';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type { Layer } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { ArchiveProblem, entriesOf, inflated } from '../archive/tar-reader.ts';
import { tarOf } from '../archive/tar-writer.ts';
import { nowNs } from '../events.ts';
import type { Life } from '../fake.ts';
import { errors } from './errors.ts';

/** A layer with its content: the uncompressed archive of a sealed one, the files that were written to a writable one. */
export interface StoredLayer {
  layer: Layer;
  archive: Buffer;
  /** By path without a leading slash; undefined: deleted. */
  written: Map<string, Buffer | undefined>;
}

export interface LayerMemory {
  layers: Map<string, StoredLayer>;
  /** Empty: none was chosen yet. */
  driver: string;
}

export function noLayers(): LayerMemory {
  return { layers: new Map(), driver: '' };
}

/** What a test sees and does. */
export interface LayerState {
  readonly layers: ReadonlyMap<string, Layer>;
  /** As a container would: writes a file of a writable layer. An absolute path. */
  write(layer: string, path: string, content: string | Buffer): void;
  /** As a container would: deletes a file. */
  erase(layer: string, path: string): void;
}

export interface LayerStore {
  readonly state: LayerState;
  find(id: string): StoredLayer;
  all(): StoredLayer[];
  apply(header: NewLayer & { expectedDiffId: string }, archive: Buffer): { outcome: Outcome; layer: Layer };
  create(layer: NewLayer): Outcome;
  /** Whether it stands already; another parent than it has is refused. */
  known(layer: Pick<NewLayer, 'id' | 'parent'>): Layer | undefined;
  mount(id: string, holder: string): { outcome: Outcome; path: string };
  unmount(id: string, holder: string): Outcome;
  /** `own` may be the only one that holds it. */
  remove(id: string, own: string): Outcome;
  unmountAllBut(keep: ReadonlySet<string>): void;
  /** The layer's difference as a tar archive. */
  archiveOf(stored: StoredLayer): Buffer;
  leftovers(): string[];
}

export interface NewLayer {
  id: string;
  parent: string;
  labels: Record<string, string>;
}

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

export function createLayerStore({ durable, dataRoot, bootId, bootIdBefore }: Life<LayerMemory>): LayerStore {
  const { layers } = durable;
  if (bootId !== bootIdBefore) for (const { layer } of layers.values()) layer.holders = [];

  const find = (id: string): StoredLayer => {
    const stored = layers.get(id);
    if (stored === undefined) throw errors.layerNotFound({ layer: id });
    return stored;
  };
  const known = ({ id, parent }: Pick<NewLayer, 'id' | 'parent'>): Layer | undefined => {
    checkId(id);
    const before = layers.get(id)?.layer;
    if (before !== undefined && before.parent !== parent) {
      throw errors.layerExists({ layer: id, parent: before.parent });
    }
    if (before === undefined && parent !== '' && find(parent).layer.writable) {
      throw errors.parentNotSealed({ layer: parent });
    }
    return before;
  };
  const add = (made: NewLayer, rest: Pick<Layer, 'writable' | 'diffId' | 'size'>, archive: Buffer): Layer => {
    const { id, parent, labels } = made;
    const layer: Layer = { id, parent, labels, holders: [], createdAtNs: nowNs(), directories: {}, ...rest };
    layers.set(id, { layer, archive, written: new Map() });
    return layer;
  };
  const measured = (stored: StoredLayer) => {
    if (stored.layer.writable) {
      stored.layer.size = [...stored.written.values()].reduce((sum, file) => sum + (file?.length ?? 0), 0);
    }
  };

  return {
    find,
    known,
    all: () => [...layers.values()],
    apply(header, archive) {
      const before = known(header);
      if (before !== undefined) return { outcome: OUTCOME_ALREADY, layer: before };
      const { tar, size } = readable(archive);
      const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
      const expected = header.expectedDiffId;
      if (expected !== '' && expected !== diffId) throw errors.digestMismatch({ expected, found: diffId });
      return { outcome: OUTCOME_DONE, layer: add(header, { writable: false, diffId, size }, tar) };
    },
    create(made) {
      if (known(made) !== undefined) return OUTCOME_ALREADY;
      add(made, { writable: true, diffId: '', size: 0 }, Buffer.alloc(0));
      return OUTCOME_DONE;
    },
    mount(id, holder) {
      const { layer } = find(id);
      const path = `${dataRoot}/graphdriver/merged/${id}`;
      if (layer.holders.includes(holder)) return { outcome: OUTCOME_ALREADY, path };
      layer.holders = [...layer.holders, holder].sort();
      return { outcome: OUTCOME_DONE, path };
    },
    unmount(id, holder) {
      const layer = layers.get(id)?.layer;
      if (layer === undefined) return OUTCOME_ABSENT;
      if (!layer.holders.includes(holder)) return OUTCOME_ALREADY;
      layer.holders = layer.holders.filter((each) => each !== holder);
      return OUTCOME_DONE;
    },
    remove(id, own) {
      const layer = layers.get(id)?.layer;
      if (layer === undefined) return OUTCOME_ABSENT;
      const child = [...layers.values()].find((each) => each.layer.parent === id)?.layer.id;
      const holder = layer.holders.find((each) => each !== own) ?? child;
      if (holder !== undefined) throw errors.layerInUse({ layer: id, holder });
      layers.delete(id);
      return OUTCOME_DONE;
    },
    unmountAllBut(keep) {
      for (const { layer } of layers.values()) layer.holders = layer.holders.filter((holder) => keep.has(holder));
    },
    archiveOf: ({ layer, archive, written }) => (layer.writable ? tarOf([...written].map(diffEntry)) : archive),
    leftovers: () =>
      [...layers.values()].flatMap(({ layer }) => [
        ...layer.holders.map((holder) => `mount of layer ${layer.id} held by ${holder}`),
        ...(layer.writable ? [`writable layer ${layer.id}`] : []),
      ]),
    state: {
      get layers() {
        for (const stored of layers.values()) measured(stored);
        return new Map([...layers].map(([id, { layer }]) => [id, layer]));
      },
      write: (id, path, content) => change(find(id), path, Buffer.from(content)),
      erase: (id, path) => change(find(id), path, undefined),
    },
  };

  function change(stored: StoredLayer, path: string, content: Buffer | undefined): void {
    if (!stored.layer.writable) throw new TypeError(`layer ${stored.layer.id} is sealed`);
    stored.written.set(path.replace(/^\/+/, ''), content);
    measured(stored);
  }
}

function diffEntry([path, content]: readonly [string, Buffer | undefined]) {
  return content === undefined ? { name: path.replace(/[^/]+$/, '.wh.$&'), body: '' } : { name: path, body: content };
}

function readable(archive: Buffer): { tar: Buffer; size: number } {
  try {
    const tar = inflated(archive);
    return { tar, size: entriesOf(tar).reduce((sum, entry) => sum + entry.body.length, 0) };
  } catch (error) {
    if (error instanceof ArchiveProblem) throw errors.badArchive({ entry: error.entry, problem: error.message });
    throw error;
  }
}

function checkId(id: string): void {
  if (!/^[0-9a-f]{64}$/.test(id)) throw errors.invalidId({ id });
}

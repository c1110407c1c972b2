import { nowNs } from '../../kit/clock.ts';
import type { Logger } from '../../kit/log.ts';
import { createKeyedQueue } from '../../kit/queue.ts';
import type { Records } from '../../kit/records.ts';
import { type Archive, applyLayer } from './apply-layer.ts';
import { createBackgroundSweep } from './background-sweep.ts';
import type { LayerDriver, LayerId, LayerOptions } from './driver.ts';
import { errors } from './errors.ts';
import { createFreshLayers } from './fresh-layers.ts';
import { hostProblem } from './host-problem.ts';
import type { HolderRecord, LayerRecord, LayerRecords } from './layer-records.ts';
import { createLayerUses } from './layer-uses.ts';
import type { DifferenceSource } from './tree/difference.ts';
import type { Change } from './work/jobs.ts';
import type { WorkerPool } from './work/worker-pool.ts';

export type Outcome = 'done' | 'already' | 'absent';

/**
 * Ends a mutation: keeps its answer and, in the same transaction, runs what records its effect. What it returns is what the
 * caller gets. If it throws, nothing is recorded.
 */
export type Settle<Answer, Reply> = (answer: Answer, record?: () => void) => Reply;

export interface LayerAndHolders extends LayerRecord {
  holders: string[];
}

export interface NewLayer {
  id: LayerId;
  parent: LayerId | undefined;
  labels: Readonly<Record<string, string>>;
}

export interface Applied {
  outcome: Outcome;
  layer: LayerAndHolders;
}

export interface Mounted {
  outcome: Outcome;
  /** Of the view. */
  path: string;
}

/** The layers of the driver that is open. What concerns one layer is done one after the other. */
export interface Layers {
  readonly driver: LayerDriver;
  apply<R>(layer: NewLayer & { archive: Archive; expectedDiffId: string }, settle: Settle<Applied, R>): Promise<R>;
  create<R>(layer: NewLayer & { options: LayerOptions }, settle: Settle<Outcome, R>): Promise<R>;
  /** `hostIds`: without the engine's id maps, where it is not mounted yet. */
  mount<R>(layer: LayerId, holder: string, hostIds: boolean, settle: Settle<Mounted, R>): Promise<R>;
  unmount<R>(layer: LayerId, holder: string, settle: Settle<Outcome, R>): Promise<R>;
  /** `holder` may be the only one that holds it. */
  remove<R>(layer: LayerId, holder: string | undefined, settle: Settle<Outcome, R>): Promise<R>;
  find(layer: LayerId, options: { measure: boolean }): Promise<LayerAndHolders>;
  /** The driver's, of a layer that is there. */
  directories(layer: LayerRecord): Readonly<Record<string, string>>;
  list(): LayerAndHolders[];
  pack(layer: LayerId, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined>;
  listChanges(layer: LayerId, signal: AbortSignal): AsyncGenerator<Change[], void, undefined>;
  /** Takes down what is held by others than these. Gives the problems met. */
  unmountAllBut(keep: ReadonlySet<string>): Promise<string[]>;
  /** Starts no more work of its own. */
  close(): void;
}

export interface LayersOptions {
  driver: LayerDriver;
  layerRecords: LayerRecords;
  records: Records;
  pool: WorkerPool;
  /** Threads that wait for their callers to read: a slow one must not hold up what changes layers. */
  readers: WorkerPool;
  bootId: string;
  log: Logger;
}

export function createLayers(options: LayersOptions): Layers {
  const { driver, layerRecords, records, pool, readers, bootId, log } = options;
  const queue = createKeyedQueue();
  const sweep = createBackgroundSweep(driver, log);
  sweep.soon();
  const uses = createLayerUses();
  const fresh = createFreshLayers(records);

  function need(layer: LayerId): LayerRecord {
    const record = layerRecords.find(layer);
    if (record === undefined) throw errors.layerNotFound({ layer });
    return record;
  }

  const withHolders = (record: LayerRecord): LayerAndHolders => ({
    ...record,
    holders: layerRecords.holders(record.id).map(({ holder }) => holder),
  });

  /** The layers that show below a layer, nearest first. */
  const ancestorsOf = (parent: LayerId | undefined) => (parent === undefined ? [] : layerRecords.chain(parent));

  /** A parent's chain, and a promise to keep it while a child is made. */
  function useParent(parent: LayerId | undefined, child: LayerId): { ancestors: LayerId[] } & Disposable {
    if (parent === undefined) return { ancestors: [], [Symbol.dispose]() {} };
    if (need(parent).isWritable) throw errors.parentNotSealed({ parent });
    const ancestors = layerRecords.chain(parent);
    return { ancestors, ...uses.begin(parent, 'the parent of', child) };
  }

  function refuseInUse(layer: LayerId, own?: string): void {
    const held = layerRecords.holders(layer).find(({ holder }) => holder !== own);
    if (held !== undefined) throw errors.layerInUse({ layer, use: 'mounted by', holder: held.holder });
    const child = layerRecords.childOf(layer);
    if (child !== undefined) throw errors.layerInUse({ layer, use: 'the parent of', holder: child });
    const other = uses.of(layer);
    if (other !== undefined) throw errors.layerInUse({ layer, ...other });
  }

  /** The layer of a repeated call, if it is the same. */
  function refuseOther(found: LayerRecord, wanted: NewLayer & { isWritable: boolean; diffId: string }): void {
    const layer = found.id;
    if (found.isWritable !== wanted.isWritable) {
      throw errors.layerExists({ layer, problem: found.isWritable ? 'as a writable layer' : 'as a sealed layer' });
    }
    if (found.parent !== wanted.parent) {
      throw errors.layerExists({ layer, problem: `with ${found.parent ?? 'no layer'} as its parent` });
    }
    if (wanted.diffId !== '' && found.diffId !== wanted.diffId) {
      throw errors.layerExists({ layer, problem: `with the content ${found.diffId}` });
    }
  }

  async function mountView(layer: LayerId, hostIds: boolean): Promise<string> {
    const { parent, isWritable, isRootOpaque } = need(layer);
    const ancestors = isRootOpaque ? [] : ancestorsOf(parent);
    try {
      return await driver.mount(layer, { ancestors, isWritable, hostIds });
    } catch (error) {
      throw hostProblem(layer, error, 'mount');
    }
  }

  /** Reads the difference in a worker while the layer cannot be removed. */
  async function* reading<T>(
    layer: LayerId,
    signal: AbortSignal,
    read: (source: DifferenceSource) => AsyncGenerator<T, void, undefined>,
  ): AsyncGenerator<T, void, undefined> {
    const { parent, isWritable } = need(layer);
    using _ = uses.begin(layer, 'read by', 'a diff in progress');
    try {
      yield* read(driver.difference(layer, { ancestors: ancestorsOf(parent), isWritable }));
    } catch (error) {
      throw signal.aborted ? signal.reason : hostProblem(layer, error, 'read');
    }
  }

  const layers: Layers = {
    driver,

    apply: (wanted, settle) =>
      queue.run(wanted.id, async () => {
        const found = layerRecords.find(wanted.id);
        if (found !== undefined) {
          refuseOther(found, { ...wanted, isWritable: false, diffId: wanted.expectedDiffId });
          return settle({ outcome: 'already', layer: withHolders(found) });
        }
        using parent = useParent(wanted.parent, wanted.id);
        try {
          return await applyLayer({ driver, pool, ancestors: parent.ancestors, ...wanted }, (made) => {
            const record: LayerRecord = {
              ...made,
              id: wanted.id,
              parent: wanted.parent,
              isWritable: false,
              labels: wanted.labels,
              options: {},
              createdAtNs: nowNs(),
            };
            const layer = { ...record, holders: [] };
            return settle({ outcome: 'done', layer }, () => layerRecords.insert(record));
          });
        } finally {
          sweep.soon();
        }
      }),

    create: (wanted, settle) =>
      queue.run(wanted.id, async () => {
        const found = layerRecords.find(wanted.id);
        if (found !== undefined) {
          refuseOther(found, { ...wanted, isWritable: true, diffId: '' });
          return settle('already');
        }
        using parent = useParent(wanted.parent, wanted.id);
        try {
          await driver.create(wanted.id, parent.ancestors, wanted.options);
        } catch (error) {
          throw hostProblem(wanted.id, error, 'create');
        }
        const { id, parent: parentId, labels, options } = wanted;
        const made = { diffId: '', size: 0, isRootOpaque: false, isWritable: true, createdAtNs: nowNs() };
        try {
          const reply = settle('done', () => layerRecords.insert({ id, parent: parentId, labels, options, ...made }));
          fresh.made(id);
          return reply;
        } catch (error) {
          driver.remove(id);
          sweep.soon();
          throw error;
        }
      }),

    mount: (layer, holder, hostIds, settle) =>
      queue.run(layer, async () => {
        need(layer);
        const holders = layerRecords.holders(layer);
        const own = holders.find((record) => record.holder === holder);
        if (own !== undefined) return settle({ outcome: 'already', path: own.path });
        const [other] = holders;
        await fresh.lasting(layer);
        const path = other === undefined ? await mountView(layer, hostIds) : other.path;
        const record: HolderRecord = { layer, holder, path, bootId };
        try {
          return settle({ outcome: 'done', path }, () => layerRecords.addHolder(record));
        } catch (error) {
          if (other === undefined) driver.unmount(layer);
          throw error;
        }
      }),

    unmount: (layer, holder, settle) =>
      queue.run(layer, () => {
        if (layerRecords.find(layer) === undefined) return settle('absent');
        const holders = layerRecords.holders(layer);
        if (!holders.some((record) => record.holder === holder)) return settle('already');
        if (holders.length === 1) driver.unmount(layer);
        return settle('done', () => layerRecords.removeHolder(layer, holder));
      }),

    remove: (layer, holder, settle) =>
      queue.run(layer, async () => {
        const record = layerRecords.find(layer);
        if (record === undefined) return settle('absent');
        refuseInUse(layer, holder);
        if (layerRecords.holders(layer).length > 0) driver.unmount(layer);
        const reply = settle('done', () => layerRecords.remove(layer));
        // From here on it is a layer without a record: if we die now, the next start takes it away. On the disk first, or a
        // power cut would leave a record whose files are gone; which harms no writable layer, since its owner removes it again.
        if (!record.isWritable) await records.synced();
        driver.remove(layer);
        sweep.soon();
        return reply;
      }),

    async find(layer, { measure }) {
      const record = need(layer);
      if (!measure || !record.isWritable) return withHolders(record);
      using _ = uses.begin(layer, 'read by', 'a measurement in progress');
      const source = driver.difference(layer, { ancestors: ancestorsOf(record.parent), isWritable: true });
      try {
        const size = await pool.run('measure', { source });
        records.transaction(() => layerRecords.setSize(layer, size));
        return withHolders({ ...record, size });
      } catch (error) {
        throw hostProblem(layer, error, 'read');
      }
    },

    directories: ({ id, parent }) => driver.directories(id, ancestorsOf(parent)),

    list() {
      const holders = Map.groupBy(layerRecords.allHolders(), ({ layer }) => layer);
      return layerRecords.list().map((record) => ({
        ...record,
        holders: (holders.get(record.id) ?? []).map(({ holder }) => holder),
      }));
    },

    pack: (layer, signal) => reading(layer, signal, (source) => readers.stream('pack', { source }, signal)),
    listChanges: (layer, signal) =>
      reading(layer, signal, (source) => readers.stream('listChanges', { source }, signal)),

    async unmountAllBut(keep) {
      const problems: string[] = [];
      for (const { layer, holder } of layerRecords.allHolders()) {
        if (keep.has(holder)) continue;
        try {
          await layers.unmount(layer, holder, (_, record) => record !== undefined && records.transaction(record));
        } catch (error) {
          problems.push(`layer ${layer}, held by ${holder}: ${error instanceof Error ? error.message : error}`);
        }
      }
      return problems;
    },

    close: sweep.stop,
  };
  return layers;
}

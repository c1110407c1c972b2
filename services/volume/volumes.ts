import { dirname } from 'node:path';
import { nowNs } from '../../kit/clock.ts';
import { requireSpace } from '../../kit/disk-space.ts';
import type { Logger } from '../../kit/log.ts';
import { createKeyedQueue } from '../../kit/queue.ts';
import type { Records } from '../../kit/records.ts';
import type { Sequence } from '../../kit/watch.ts';
import type { VolumeDriver } from './driver.ts';
import { errors } from './errors.ts';
import type { Filler } from './filler.ts';
import type { VolumeEvent } from './volume-events.ts';
import { checkVolumeName } from './volume-name.ts';
import type { Holding, VolumeRecord, VolumeRecords } from './volume-records.ts';

/** What a volume is to be. */
export type VolumeWish = Omit<VolumeRecord, 'state' | 'createdAtNs'>;

/** Where the image's files for an empty volume are. */
export interface ImagePlace {
  root: string;
  place: string;
}

/**
 * Keeps what a verb has changed: called once, with what belongs in that transaction, in which the verb's answer is kept too.
 * `isDone`: the call made the change; else all was so already.
 */
export type Settle = (isDone: boolean, record: () => void) => void;

/**
 * Volumes, who holds them, and who runs with them. The verbs for one volume come one after the other. Each writes down what it
 * is about to do, does it, and settles.
 */
export interface Volumes {
  /** VOLUME_EXISTS, BAD_NAME, BAD_OPTION, UNKNOWN_DRIVER. */
  create(wish: VolumeWish, settle: Settle): Promise<void>;
  /** The same, and records the holder. */
  acquire(wish: VolumeWish, holder: string, settle: Settle): Promise<void>;
  /** Volumes that went with it; undefined when the holder did not have it. */
  release(name: string, holder: string, removeAnonymous: boolean): Promise<{ isRemoved: boolean } | undefined>;
  /** VOLUME_NOT_FOUND, MOUNT_FAILED. */
  mount(name: string, holder: string, image: ImagePlace | undefined, settle: Settle): Promise<void>;
  /** False when the holder did not run with it. */
  unmount(name: string, holder: string): Promise<boolean>;
  /** False when there is none. VOLUME_IN_USE, VOLUME_BUSY. */
  remove(name: string, settle: Settle): Promise<boolean>;
  /** Makes what is recorded of a holding so, without asking who says it. */
  settleHolding(name: string, holder: string, isMounted: boolean): Promise<void>;
  find(name: string): VolumeRecord | undefined;
  all(): VolumeRecord[];
  /** Finishes or undoes what a crash or a restart of the host has cut, and takes in volumes that have no record. */
  open(bootId: string): Promise<void>;
}

export interface VolumesContext {
  records: Records;
  volumeRecords: VolumeRecords;
  driver: VolumeDriver;
  filler: Filler;
  events: Sequence<VolumeEvent>;
  log: Logger;
}

export function createVolumes(context: VolumesContext): Volumes {
  const { records, volumeRecords, driver, filler, events, log } = context;
  const queue = createKeyedQueue();

  const find = (name: string) => {
    const volume = volumeRecords.find(name);
    return volume?.state === 'ready' ? volume : undefined;
  };
  const announce = (action: string, name: string, attributes: Record<string, string> = {}) =>
    events.append({ action, name, attributes: { driver: driver.name, ...attributes }, timeNs: nowNs() });
  const holdingOf = (name: string, holder: string): Holding | undefined =>
    volumeRecords.holdings(name).find((holding) => holding.holder === holder);

  /** Takes away the files, then the record. */
  async function removeFully(name: string, settle: Settle): Promise<void> {
    // That it goes is on the disk before the first file does.
    await records.synced();
    await driver.remove(name);
    settle(true, () => {
      volumeRecords.delete(name);
      announce('destroy', name);
    });
  }

  /** Makes the volume unless it is there; what is left to record is for the verb's own transaction. */
  async function ensure(wish: VolumeWish): Promise<{ isNew: boolean; record: () => void }> {
    const { name } = wish;
    checkVolumeName(name);
    const before = volumeRecords.find(name);
    if (before?.state === 'ready') {
      if (before.driver !== wish.driver) throw errors.volumeExists({ name, driver: before.driver });
      return { isNew: false, record: () => {} };
    }
    if (wish.driver !== driver.name) throw errors.unknownDriver({ name, driver: wish.driver });
    driver.check(name, wish.options);
    requireSpace(dirname(records.path));
    if (before !== undefined) {
      await driver.remove(name);
      volumeRecords.delete(name);
    }
    volumeRecords.insert({ ...wish, state: 'making', createdAtNs: nowNs() });
    try {
      await driver.create(name);
    } catch (error) {
      await driver.remove(name).then(
        () => volumeRecords.delete(name),
        () => {}, // The record stays, so that the next start tries again.
      );
      throw error;
    }
    return {
      isNew: true,
      record: () => {
        volumeRecords.setState(name, 'ready');
        announce('create', name);
      },
    };
  }

  async function unmountNow({ name, options }: VolumeRecord, holding: Holding): Promise<void> {
    const others = volumeRecords.holdings(name).filter((other) => other.isMounted && other.holder !== holding.holder);
    if (others.length === 0) await driver.unmount(name, options);
    records.transaction(() => {
      volumeRecords.hold({ ...holding, isMounted: false });
      announce('unmount', name, { container: holding.holder });
    });
  }

  async function mountNow(volume: VolumeRecord, holding: Holding, image: ImagePlace | undefined): Promise<Holding> {
    const { name, options } = volume;
    const others = volumeRecords.holdings(name).filter((other) => other.isMounted && other.holder !== holding.holder);
    volumeRecords.hold({ ...holding, isMounted: true });
    try {
      await driver.mount(name, options);
      if (image === undefined || holding.isFilled) return { ...holding, isMounted: true };
      const isShared = others.length > 0 || Object.keys(options).length > 0;
      await filler.fillIfEmpty(image, driver.mountpoint(name), isShared);
      return { ...holding, isMounted: true, isFilled: true };
    } catch (error) {
      if (others.length === 0 && !holding.isMounted) await driver.unmount(name, options).catch(() => {});
      volumeRecords.hold(holding);
      throw error;
    }
  }

  async function finish(volume: VolumeRecord): Promise<void> {
    if (volume.state !== 'ready') {
      await driver.remove(volume.name);
      volumeRecords.delete(volume.name);
      return;
    }
    await filler.sweep(driver.mountpoint(volume.name));
    const isRunWith = volumeRecords.holdings(volume.name).some((holding) => holding.isMounted);
    if (!isRunWith) await driver.unmount(volume.name, volume.options);
  }

  async function takeIn(name: string): Promise<void> {
    if (volumeRecords.find(name) !== undefined) return;
    try {
      checkVolumeName(name);
    } catch {
      return; // A directory that no name of a volume can mean is somebody else's.
    }
    volumeRecords.insert({
      name,
      state: 'ready',
      driver: driver.name,
      options: {},
      labels: {},
      anonymous: false,
      createdAtNs: nowNs(),
    });
  }

  return {
    find,
    all: () => volumeRecords.all().filter((volume) => volume.state === 'ready'),

    create: (wish, settle) =>
      queue.run(wish.name, async () => {
        const { isNew, record } = await ensure(wish);
        settle(isNew, record);
      }),

    acquire: (wish, holder, settle) =>
      queue.run(wish.name, async () => {
        const { record } = await ensure(wish);
        const held = holdingOf(wish.name, holder);
        settle(held === undefined, () => {
          record();
          if (held === undefined) {
            volumeRecords.hold({ volume: wish.name, holder, isMounted: false, isFilled: false });
          }
        });
      }),

    release: (name, holder, removeAnonymous) =>
      queue.run(name, async () => {
        const volume = find(name);
        const holding = holdingOf(name, holder);
        if (volume === undefined || holding === undefined) return undefined;
        if (holding.isMounted) await unmountNow(volume, holding);
        const isLast = volumeRecords.holdings(name).length === 1;
        const isRemoved = removeAnonymous && volume.anonymous && isLast;
        records.transaction(() => {
          volumeRecords.release(name, holder);
          if (isRemoved) volumeRecords.setState(name, 'removing');
        });
        if (isRemoved) await removeFully(name, (_, record) => records.transaction(record));
        return { isRemoved };
      }),

    mount: (name, holder, image, settle) =>
      queue.run(name, async () => {
        const volume = find(name);
        if (volume === undefined) throw errors.volumeNotFound({ name });
        const before = holdingOf(name, holder) ?? { volume: name, holder, isMounted: false, isFilled: false };
        const mounted = await mountNow(volume, before, image);
        settle(!before.isMounted, () => {
          volumeRecords.hold(mounted);
          if (!before.isMounted) announce('mount', name, { container: holder });
        });
      }),

    unmount: (name, holder) =>
      queue.run(name, async () => {
        const volume = find(name);
        const holding = holdingOf(name, holder);
        if (volume === undefined || holding?.isMounted !== true) return false;
        await unmountNow(volume, holding);
        return true;
      }),

    remove: (name, settle) =>
      queue.run(name, async () => {
        const volume = volumeRecords.find(name);
        if (volume === undefined) return false;
        const holders = volumeRecords.holdings(name).map((holding) => holding.holder);
        if (holders.length > 0) throw errors.volumeInUse({ name, holders: holders.join(', ') });
        volumeRecords.setState(name, 'removing');
        try {
          await removeFully(name, settle);
        } catch (error) {
          // Refused as a whole: nothing of it is gone.
          if (isRefusal(error)) volumeRecords.setState(name, volume.state);
          throw error;
        }
        return true;
      }),

    settleHolding: (name, holder, isMounted) =>
      queue.run(name, async () => {
        const volume = find(name);
        if (volume === undefined) return;
        const before = holdingOf(name, holder) ?? { volume: name, holder, isMounted: false, isFilled: true };
        if (before.isMounted && !isMounted) await unmountNow(volume, before);
        else if (isMounted) volumeRecords.hold(await mountNow(volume, before, undefined));
        else volumeRecords.hold(before);
      }),

    async open(bootId) {
      volumeRecords.enterBoot(bootId);
      for (const volume of volumeRecords.all()) {
        try {
          await queue.run(volume.name, () => finish(volume));
        } catch (error) {
          // Its record stays as it is, so that the next start tries again. One volume is no reason to have none.
          log.error({ err: error, volume: volume.name }, 'cannot finish what was begun with this volume');
        }
      }
      const isKnown = (name: string) => volumeRecords.find(name) !== undefined;
      for (const name of await driver.list(isKnown)) await queue.run(name, () => takeIn(name));
    },
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'reason' in error && error.reason === 'VOLUME_BUSY';
}

import type { Logger } from '../../kit/log.ts';
import type { Records } from '../../kit/records.ts';
import type { LayerDriver } from './driver.ts';
import type { LayerRecords } from './layer-records.ts';

/**
 * Brings records and disk to agree, at a start, before anything else uses the driver. Between a record and its effect a crash
 * may have come: what has no record goes; what has one and isn't there is made again if it was empty, else given up. (A
 * sealed layer that was given up is made anew by the next ApplyLayer.)
 */
export async function reconcile(given: {
  driver: LayerDriver;
  layerRecords: LayerRecords;
  records: Records;
  bootId: string;
  log: Logger;
}): Promise<void> {
  const { driver, layerRecords, records, log } = given;
  const recorded = new Map(layerRecords.list().map((record) => [record.id, record]));
  const present = driver.list();

  reconcileHolders(given);

  for (const layer of present) {
    if (recorded.has(layer)) continue;
    log.info({ layer }, 'removing an unfinished layer');
    driver.unmount(layer);
    driver.remove(layer);
  }
  for (const record of recorded.values()) {
    if (present.has(record.id)) continue;
    if (record.isWritable) {
      log.warn({ layer: record.id }, 'a writable layer was lost in a crash and is made again, empty');
      try {
        const ancestors = record.parent === undefined ? [] : layerRecords.chain(record.parent);
        await driver.create(record.id, ancestors, record.options);
      } catch (error) {
        log.error({ err: error, layer: record.id }, 'it could not be made again: its container will not start');
      }
      continue;
    }
    log.error({ layer: record.id }, 'a sealed layer is missing: images that use it have to be pulled or loaded again');
    records.transaction(() => layerRecords.remove(record.id));
  }
}

/** Mounts without a holder go; holders whose view is gone, by a reboot or somebody's umount, are forgotten. */
function reconcileHolders({
  driver,
  layerRecords,
  records,
  bootId,
  log,
}: {
  driver: LayerDriver;
  layerRecords: LayerRecords;
  records: Records;
  bootId: string;
  log: Logger;
}): void {
  const mounted = driver.mounted();
  const held = new Set<string>();
  const gone = layerRecords.allHolders().filter(({ layer, bootId: mountedIn }) => {
    const isWritable = layerRecords.find(layer)?.isWritable ?? false;
    const isThere = mountedIn === bootId && (mounted.has(layer) || !driver.isMountNeeded({ isWritable }));
    if (isThere) held.add(layer);
    return !isThere;
  });
  if (gone.length > 0) {
    records.transaction(() => {
      for (const { layer, holder } of gone) layerRecords.removeHolder(layer, holder);
    });
    log.info({ holders: gone.length }, 'forgot holders whose mounts are gone');
  }
  for (const layer of mounted) {
    if (held.has(layer)) continue;
    log.info({ layer }, 'unmounting a layer that nobody holds');
    driver.unmount(layer);
  }
}

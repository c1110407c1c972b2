import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Mounts } from '../../kit/linux/mounts.ts';
import type { Logger } from '../../kit/log.ts';
import type { Records } from '../../kit/records.ts';
import type { IdMaps } from '../../proto/gen/longshore/contract/v1/id_maps.ts';
import { driverChoices } from './drivers.ts';
import { errors } from './errors.ts';
import { claimDirectory } from './home.ts';
import { openLayerRecords } from './layer-records.ts';
import { createLayers, type Layers } from './layers.ts';
import { closeMappedHome, openMappedHome } from './mapped-home.ts';
import { reconcile } from './reconcile.ts';
import { type Selection, selectDriver } from './selection.ts';
import type { WorkerPool } from './work/worker-pool.ts';

/** What Init asks for. */
export interface DriverPolicy {
  engineId: string;
  /** Empty: choose. */
  driver: string;
  /** `key=value` */
  options: readonly string[];
  idMaps: IdMaps | undefined;
}

/** The driver that is open, if one is. */
export interface DriverControl {
  /** Opens the driver that the policy says, or goes on with it. One call at a time takes effect. */
  open(policy: DriverPolicy): Promise<OpenDriver>;
  /** Throws NOT_INITIALISED when no driver is open. */
  layers(): Layers;
  /** Takes down all views but those held by `keep`, and closes the driver. Gives the problems met. */
  drain(keep: ReadonlySet<string>): Promise<string[]>;
  /** Ends the driver's own work. Views stay. */
  close(): void;
}

export interface OpenDriver extends Pick<Selection<unknown>, 'because' | 'passedOver'> {
  layers: Layers;
}

export function createDriverControl(options: {
  dataRoot: string;
  mounts: Mounts;
  records: Records;
  pool: WorkerPool;
  readers: WorkerPool;
  bootId: string;
  log: Logger;
}): DriverControl {
  const { mounts, records, pool, readers, bootId, log } = options;
  let current: OpenDriver | undefined;
  let previous: Promise<unknown> = Promise.resolve();

  const mappedPath = () => join(realpathSync(options.dataRoot), 'graphdriver', 'mapped');

  /** After all that was asked for before. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = previous.then(work);
    previous = result.catch(() => undefined);
    return result;
  }

  function forget(): void {
    current?.layers.close();
    current = undefined;
  }

  async function openPolicy({ engineId, driver: named, options: given, idMaps }: DriverPolicy): Promise<OpenDriver> {
    // The kernel's mount table has real paths.
    const root = realpathSync(options.dataRoot);
    const candidates = driverChoices(root, { mounts, pool });
    const { choice, because, passedOver } = selectDriver(candidates, { named, root, engineId });
    const [option] = given;
    if (option !== undefined) {
      throw errors.badOption({
        option,
        driver: choice.name,
        problem: 'it has no options for all layers; leave it out',
      });
    }
    if (current !== undefined) {
      if (current.layers.driver.name === choice.name) {
        current = { layers: current.layers, because, passedOver };
        return current;
      }
      refuseChange(current.layers, choice.name);
      forget();
    }
    claimDirectory(choice.directory, choice.name, engineId);
    if (idMaps !== undefined && choice.name !== 'overlay2') {
      throw errors.idMapsUnsupported({ problem: `the driver ${choice.name} has none; use overlay2` });
    }
    const mapped = idMaps && (await openMappedHome(choice.directory, mappedPath(), idMaps, mounts));
    const driver = choice.open(mapped);
    const layerRecords = openLayerRecords(records, choice.name);
    await reconcile({ driver, layerRecords, records, bootId, log });
    const layers = createLayers({ driver, layerRecords, records, pool, readers, bootId, log });
    current = { layers, because, passedOver };
    log.debug({ driver: choice.name, because, passedOver }, 'the layers are open');
    return current;
  }

  return {
    open: (policy) => inTurn(() => openPolicy(policy)),
    layers() {
      if (current === undefined) throw errors.notInitialised();
      return current.layers;
    },
    drain: (keep) =>
      inTurn(async () => {
        const layers = current?.layers;
        // From now on nothing is mounted any more.
        forget();
        const problems = (await layers?.unmountAllBut(keep)) ?? [];
        // Views that stay hold on to it by themselves.
        closeMappedHome(mappedPath(), mounts);
        return problems;
      }),
    close: forget,
  };
}

/** Views of one driver would stay behind unseen by another. */
function refuseChange(layers: Layers, asked: string): void {
  const [holder] = layers.list().flatMap(({ holders }) => holders);
  if (holder !== undefined) throw errors.driverInUse({ driver: layers.driver.name, asked, holder });
}

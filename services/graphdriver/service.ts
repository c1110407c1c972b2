import { join } from 'node:path';
import { hostBootId, openControl } from '../../kit/control.ts';
import { createMounts } from '../../kit/linux/mounts.ts';
import { openRecords } from '../../kit/records.ts';
import { createOwnHealth } from '../../kit/rpc/health.ts';
import { type Served, serve, service } from '../../kit/rpc/serve.ts';
import type { Running, ServiceConfig } from '../../kit/service.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/control.ts';
import { LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { controlService, resume } from './control-service.ts';
import { createDriverControl } from './driver-control.ts';
import { migrations } from './layer-records.ts';
import { layerService } from './layer-service.ts';
import { createWorkerPool } from './work/worker-pool.ts';

/** What a test puts in the host's place. */
export interface Surroundings {
  bootId?: string;
}

/** The layer store. It alone uses the layers of its data root: the records are locked for as long as it runs. */
export async function start(config: ServiceConfig, surroundings: Surroundings = {}): Promise<Running> {
  const { dataRoot, log } = config;
  const bootId = surroundings.bootId ?? hostBootId();
  const records = openRecords(join(dataRoot, 'graphdriver', 'layers.db'), { migrations });
  const pool = createWorkerPool({ threads: 2 });
  const readers = createWorkerPool({ threads: 4 });
  const control = openControl(records, { bootId });
  const driverControl = createDriverControl({ dataRoot, mounts: createMounts(), records, pool, readers, bootId, log });

  const health = createOwnHealth();
  const setServing = (isOpen: boolean) => health.set(isOpen, LayerServiceDefinition);
  const given = { config, control, driverControl, setServing };
  let served: Served | undefined;
  const close = async () => {
    await served?.stop();
    driverControl.close();
    await Promise.all([pool.stop(), readers.stop()]);
    records.close();
  };

  try {
    await resume(given);
    served = await serve({
      ...config,
      services: [
        service(ControlServiceDefinition, controlService(given), { serving: true }),
        service(LayerServiceDefinition, layerService({ layers: driverControl.layers, records, dataRoot })),
      ],
      health,
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { stop: close };
}

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hostBootId, openControl } from '../../kit/control.ts';
import { createMounts } from '../../kit/linux/mounts.ts';
import { openRecords } from '../../kit/records.ts';
import { createOwnHealth } from '../../kit/rpc/health.ts';
import { serve, service } from '../../kit/rpc/serve.ts';
import type { Running, ServiceConfig } from '../../kit/service.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/volume/v1/control.ts';
import { VolumeServiceDefinition } from '../../proto/gen/longshore/volume/v1/volume.ts';
import { createVolumeControl } from './control.ts';
import { createFiller } from './filler.ts';
import { createLocalDriver } from './local-driver.ts';
import { createMountCommand, type MountCommand } from './mount-command.ts';
import { migrations } from './records.ts';
import { controlService, volumeService } from './rpc.ts';
import { openVolumeEvents } from './volume-events.ts';
import { recordsFile } from './volume-name.ts';
import { createVolumeRecords } from './volume-records.ts';
import { createVolumes } from './volumes.ts';

/** What a test puts in the host's place. */
export interface Surroundings {
  bootId?: string;
  mountCommand?: MountCommand;
}

export async function start(config: ServiceConfig, surroundings: Surroundings = {}): Promise<Running> {
  const { log } = config;
  const bootId = surroundings.bootId ?? hostBootId();
  const root = join(config.dataRoot, 'volumes');
  // Containers' users may pass through to their own volume, and see no other's name.
  mkdirSync(root, { recursive: true, mode: 0o701 });
  const records = openRecords(join(root, recordsFile), { migrations });
  const volumeRecords = createVolumeRecords(records);
  const events = openVolumeEvents(records);
  const driver = createLocalDriver(root, createMounts(), surroundings.mountCommand ?? createMountCommand(), () =>
    volumeControl.owner(),
  );
  const control = openControl(records, { bootId });
  const volumes = createVolumes({ records, volumeRecords, driver, filler: createFiller(), events, log });

  const health = createOwnHealth();
  const volumeControl = createVolumeControl({
    control,
    bootId,
    volumes,
    volumeRecords,
    log,
    setServing: (isServing) => health.set(isServing, VolumeServiceDefinition),
  });
  await volumeControl.resume();
  const served = await serve({
    ...config,
    services: [
      service(ControlServiceDefinition, controlService({ config, control, volumeControl, driver }), { serving: true }),
      service(
        VolumeServiceDefinition,
        volumeService({ records, volumes, volumeRecords, volumeControl, driver, events }),
      ),
    ],
    health,
  });
  return {
    async stop() {
      await served.stop();
      records.close();
    },
  };
}

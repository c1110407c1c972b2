import { join } from 'node:path';
import { openRecords } from '../../kit/records.ts';
import { createOwnHealth } from '../../kit/rpc/health.ts';
import { serve, service } from '../../kit/rpc/serve.ts';
import type { Running, ServiceConfig } from '../../kit/service.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/graph/v1/control.ts';
import { EventServiceDefinition } from '../../proto/gen/longshore/graph/v1/event.ts';
import { ImageServiceDefinition } from '../../proto/gen/longshore/graph/v1/image.ts';
import { openContentStore } from './content.ts';
import { openControlService } from './control.ts';
import { eventService } from './event-service.ts';
import { sweepBlobs } from './garbage.ts';
import { dialLayers } from './graphdriver.ts';
import { imageService } from './image-service.ts';
import { createLeases } from './leases.ts';
import { createOpening } from './opening.ts';
import { openEvents } from './records/events.ts';
import { migrations } from './records/schema.ts';

/** Images: content, configs, tags and who uses them. Opens by the last Init, if there was one. */
export async function start(config: ServiceConfig): Promise<Running> {
  const { dataRoot, log, tls } = config;
  const records = openRecords(join(dataRoot, 'graph', 'images.db'), { migrations });
  try {
    const content = await openContentStore(dataRoot);
    const ground = { records, content, leases: createLeases(), events: openEvents(records), log };
    const swept = await sweepBlobs(records, content, ground.leases);
    if (swept > 0) log.info({ blobs: swept }, 'removed blobs that no image has');

    const health = createOwnHealth();
    const opening = createOpening({
      ground,
      dataRoot,
      dialLayers: (endpoint, sharesDataRoot) =>
        dialLayers({
          endpoint,
          sharesDataRoot,
          content,
          log,
          neighbours: config.neighbours,
          ...(tls !== undefined && { tls }),
        }),
      onChange: (isOpen) => health.set(isOpen, ImageServiceDefinition, EventServiceDefinition),
    });
    const control = openControlService(config, ground, opening);
    // Before the first call can come: whoever called the process before would be told that there was no Init.
    await control.resume();
    const served = await serve({
      ...config,
      services: [
        service(ControlServiceDefinition, control.implementation, { serving: true }),
        service(ImageServiceDefinition, imageService(opening.graph)),
        service(EventServiceDefinition, eventService(ground.events)),
      ],
      health,
    });
    return {
      async stop() {
        await served.stop();
        opening.close();
        records.close();
      },
    };
  } catch (error) {
    records.close();
    throw error;
  }
}

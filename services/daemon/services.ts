import type { ContainerServiceImplementation } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { EventServiceImplementation } from '../../proto/gen/longshore/daemon/v1/event.ts';
import type { SystemServiceImplementation } from '../../proto/gen/longshore/daemon/v1/system.ts';
import { containerService } from './container-service.ts';
import type { Containers } from './containers/containers.ts';
import type { Engine } from './daemon.ts';
import { eventService } from './event-service.ts';
import type { Events } from './events/events.ts';
import { systemService } from './system-service.ts';

export interface ContainerServices {
  containers: ContainerServiceImplementation;
  events: EventServiceImplementation;
  system: SystemServiceImplementation;
}

/** What the daemon's server answers with, once the engine is put together; what changes containers waits for their restore. */
export function containerServices(
  containers: Containers,
  events: Events,
  engine: Engine,
  restored: Promise<void>,
): ContainerServices {
  // A verb has its container's name in the one, and the rest in the other.
  const synced = async () => void (await Promise.all([engine.records.synced(), engine.links.synced()]));
  return {
    containers: containerService(containers, { ...engine.records, synced }, restored),
    events: eventService(events),
    system: systemService(engine, containers),
  };
}

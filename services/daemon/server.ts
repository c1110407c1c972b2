import { createOwnHealth } from '../../kit/rpc/health.ts';
import { serve, service } from '../../kit/rpc/serve.ts';
import { ContainerServiceDefinition } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/daemon/v1/control.ts';
import { EventServiceDefinition } from '../../proto/gen/longshore/daemon/v1/event.ts';
import { SystemServiceDefinition } from '../../proto/gen/longshore/daemon/v1/system.ts';
import { type Late, late } from './late.ts';
import type { Host } from './newdaemon/host.ts';

/** The coordinator's own gRPC server. It answers from the time that the services are started; the engine is put in later. */
export interface Server {
  readonly containers: Late<ContainerServiceDefinition>;
  readonly events: Late<EventServiceDefinition>;
  readonly system: Late<SystemServiceDefinition>;
  /** What health says of the engine's services; clients and the gateway wait for it. */
  setServing(serving: boolean): void;
  stop(): Promise<void>;
}

export async function startServer({
  config,
  control,
  log,
  launcher: { neighbours },
}: Pick<Host, 'config' | 'control' | 'log' | 'launcher'>): Promise<Server> {
  const containers = late(ContainerServiceDefinition);
  const events = late(EventServiceDefinition);
  const system = late(SystemServiceDefinition);
  const health = createOwnHealth();
  const served = await serve({
    role: 'daemon',
    log,
    listen: [`unix://${config.execRoot}/daemon.sock`],
    ...(config.group !== undefined && { group: config.group }),
    ...(neighbours !== undefined && { neighbours }),
    services: [
      service(ControlServiceDefinition, control, { serving: true }),
      service(ContainerServiceDefinition, containers.implementation),
      service(EventServiceDefinition, events.implementation),
      service(SystemServiceDefinition, system.implementation),
    ],
    health,
  });
  return {
    containers,
    events,
    system,
    setServing: (serving) =>
      health.set(serving, SystemServiceDefinition, EventServiceDefinition, ContainerServiceDefinition),
    stop: () => served.stop(),
  };
}

import type { Role } from '../kit/roles.ts';
import { type Channel, dial } from '../kit/rpc/dial.ts';
import { endpointOf, type ServiceConfig } from '../kit/service.ts';
import { ContainerServiceDefinition } from '../proto/gen/longshore/daemon/v1/container.ts';
import { EventServiceDefinition } from '../proto/gen/longshore/daemon/v1/event.ts';
import { SystemServiceDefinition } from '../proto/gen/longshore/daemon/v1/system.ts';
import { ExecServiceDefinition } from '../proto/gen/longshore/execdriver/v1/exec.ts';
import { FileServiceDefinition } from '../proto/gen/longshore/execdriver/v1/files.ts';
import { ProcessServiceDefinition } from '../proto/gen/longshore/execdriver/v1/process.ts';
import { StreamServiceDefinition } from '../proto/gen/longshore/execdriver/v1/stream.ts';
import { UsageServiceDefinition } from '../proto/gen/longshore/execdriver/v1/usage.ts';
import { ImageServiceDefinition } from '../proto/gen/longshore/graph/v1/image.ts';
import { LayerServiceDefinition } from '../proto/gen/longshore/graphdriver/v1/layer.ts';
import { NetworkServiceDefinition } from '../proto/gen/longshore/network/v1/network.ts';
import { VolumeServiceDefinition } from '../proto/gen/longshore/volume/v1/volume.ts';
import type { Audit } from './audit.ts';

/** An owner that was killed is back within two seconds, on a busy machine; what it was doing for a client goes on. */
const repeatMs = 6_000;

/** Who the gateway passes requests on to. */
export type Owner = Exclude<Role, 'gateway'>;
export const owners = ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network'] as const;

/** The owners of what the Engine API shows: the daemon for container records, the others for their own objects and bytes. */
export type Peers = ReturnType<typeof dialPeers>;

export function dialPeers(config: ServiceConfig, audit: Audit) {
  const channel = (role: Owner): Channel =>
    dial(endpointOf(config, role), {
      role: 'gateway',
      log: config.log,
      repeatMs,
      middleware: audit.middleware,
      neighbours: config.neighbours,
      ...(config.tls && { tls: config.tls }),
    });
  const daemon = channel('daemon');
  const graph = channel('graph');
  const graphdriver = channel('graphdriver');
  const execdriver = channel('execdriver');
  const volume = channel('volume');
  const network = channel('network');
  return {
    daemon,
    execdriver,
    containers: daemon.client(ContainerServiceDefinition),
    events: daemon.client(EventServiceDefinition),
    system: daemon.client(SystemServiceDefinition),
    images: graph.client(ImageServiceDefinition),
    layers: graphdriver.client(LayerServiceDefinition),
    streams: execdriver.client(StreamServiceDefinition),
    processes: execdriver.client(ProcessServiceDefinition),
    execs: execdriver.client(ExecServiceDefinition),
    usage: execdriver.client(UsageServiceDefinition),
    files: execdriver.client(FileServiceDefinition),
    volumes: volume.client(VolumeServiceDefinition),
    networks: network.client(NetworkServiceDefinition),
    close() {
      for (const each of [daemon, graph, graphdriver, execdriver, volume, network]) each.close();
    },
  };
}

import { ExecServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { ProcessServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { UsageServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import { EventServiceDefinition } from '../../proto/gen/longshore/graph/v1/event.ts';
import { ImageServiceDefinition } from '../../proto/gen/longshore/graph/v1/image.ts';
import { LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { ControlServiceDefinition as NetworkControlDefinition } from '../../proto/gen/longshore/network/v1/control.ts';
import { NetworkServiceDefinition } from '../../proto/gen/longshore/network/v1/network.ts';
import { SandboxServiceDefinition } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { VolumeServiceDefinition } from '../../proto/gen/longshore/volume/v1/volume.ts';
import type { Clients } from './daemon.ts';
import type { ServiceSet } from './supervisor/services.ts';

/** The engine's clients of the five, on the connections that the boot has made. */
export function clientsOf({ graph, graphdriver, execdriver, volume, network }: ServiceSet): Clients {
  return {
    graph: {
      images: graph.channel.client(ImageServiceDefinition),
      events: graph.channel.client(EventServiceDefinition),
    },
    graphdriver: { layers: graphdriver.channel.client(LayerServiceDefinition) },
    execdriver: {
      processes: execdriver.channel.client(ProcessServiceDefinition),
      execs: execdriver.channel.client(ExecServiceDefinition),
      usage: execdriver.channel.client(UsageServiceDefinition),
    },
    volume: { volumes: volume.channel.client(VolumeServiceDefinition) },
    network: {
      networks: network.channel.client(NetworkServiceDefinition),
      sandboxes: network.channel.client(SandboxServiceDefinition),
      control: network.channel.client(NetworkControlDefinition),
    },
  };
}

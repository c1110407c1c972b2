import type { Clients } from '../daemon.ts';
import { callsOf } from './calls.ts';
import { execClients, usageClients } from './execs.ts';
import { imageClients } from './images.ts';
import { layerClients } from './layers.ts';
import { networkClients } from './networks.ts';
import { processClients } from './processes.ts';
import { volumeClients } from './volumes.ts';
import type { World } from './world.ts';

/** The five services in memory, on this side of the wire: each call of the daemon can be watched and disturbed. */
export function createClients(world: World): Clients {
  const call = callsOf(world);
  return {
    graph: imageClients(world, call),
    graphdriver: { layers: layerClients(world, call) },
    execdriver: {
      processes: processClients(world, call),
      execs: execClients(world, call),
      usage: usageClients(world, call),
    },
    volume: { volumes: volumeClients(world, call) },
    network: networkClients(world, call),
  };
}

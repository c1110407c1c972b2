import { Layer } from '../../../proto/gen/longshore/graphdriver/v1/layer.ts';
import type { Clients } from '../daemon.ts';
import { absent, already, done, type MakeCall } from './calls.ts';
import { refusal, type World } from './world.ts';

export function layerClients(world: World, call: MakeCall): Clients['graphdriver']['layers'] {
  const find = (id: string) => {
    const holders = world.layers.get(id);
    if (holders === undefined) throw refusal('NOT_FOUND', 'LAYER_NOT_FOUND', `no such layer: ${id}`);
    return holders;
  };
  return {
    createLayer: call('graphdriver.createLayer', ({ id }: { id: string }) => {
      if (world.layers.has(id)) return already;
      world.layers.set(id, new Set());
      return done;
    }),
    mountLayer: call('graphdriver.mountLayer', ({ id, holder }: { id: string; holder: string }) => {
      find(id).add(holder);
      return { ...done, path: `/merged/${id.slice(0, 6)}` };
    }),
    unmountLayer: call('graphdriver.unmountLayer', ({ id, holder }: { id: string; holder: string }) =>
      world.layers.get(id)?.delete(holder) ? done : absent,
    ),
    removeLayer: call('graphdriver.removeLayer', ({ id, holder }: { id: string; holder?: string }) => {
      const others = [...(world.layers.get(id) ?? [])].filter((name) => name !== holder);
      if (others.length > 0) throw refusal('FAILED_PRECONDITION', 'LAYER_IN_USE', 'mounted');
      return world.layers.delete(id) ? done : absent;
    }),
    getLayer: call('graphdriver.getLayer', ({ id }: { id: string }) => ({ layer: Layer.create({ id, size: 42 }) })),
    async *listLayers() {
      for (const [id, holders] of world.layers)
        yield { layer: Layer.create({ id, writable: true, holders: [...holders] }) };
    },
  };
}

import { insist, together, unhurried } from './insist.ts';
import { joined, type Lifecycle } from './lifecycle.ts';
import { joinedContainer } from './network-plan.ts';
import type { ContainerRecord } from './record.ts';

/**
 * Gives back what a generation held: sandbox, mounted volumes and the layer's mount, all at once. Does nothing when it holds
 * nothing any more; those who ask for it at the same time share one.
 */
export function release(lifecycle: Lifecycle, record: ContainerRecord): Promise<void> {
  const { id } = record;
  const generation = lifecycle.held.get(id);
  if (generation === undefined || generation !== record.generation) return Promise.resolve();
  return joined(lifecycle, `release ${id}`, async () => {
    await unhurried(() => releaseAll(lifecycle, record));
    if (lifecycle.held.get(id) === generation) lifecycle.held.delete(id);
  });
}

async function releaseAll(lifecycle: Lifecycle, record: ContainerRecord): Promise<void> {
  const { graphdriver, network, volume } = lifecycle.engine.clients;
  const { id } = record;
  await together(
    joinedContainer(record) === undefined
      ? insist((options) => network.sandboxes.removeSandbox({ id }, options))
      : undefined,
    insist((options) => graphdriver.layers.unmountLayer({ id, holder: id }, options)),
    hasVolumes(record)
      ? insist((options) => volume.volumes.unmountVolume({ name: '', holder: id }, options))
      : undefined,
  );
}

export function hasVolumes(record: ContainerRecord): boolean {
  return record.mounts.some(({ type }) => type === 'volume');
}

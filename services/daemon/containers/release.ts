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
  return joined(lifecycle, underWayAs(id), async () => {
    await unhurried(() => releaseAll(lifecycle, record));
    if (lifecycle.held.get(id) === generation) lifecycle.held.delete(id);
  });
}

/**
 * The sandbox alone, of a container that goes for good: the removal of its layer and the release of its volumes unmount them.
 * Waits for a release that is under way.
 */
export async function releaseSandbox(lifecycle: Lifecycle, record: ContainerRecord): Promise<void> {
  const { id } = record;
  await lifecycle.underWay.get(underWayAs(id));
  if (lifecycle.held.get(id) !== record.generation) return;
  await removeSandbox(lifecycle, record);
  lifecycle.held.delete(id);
}

function underWayAs(id: string): string {
  return `release ${id}`;
}

async function removeSandbox(lifecycle: Lifecycle, record: ContainerRecord): Promise<void> {
  const { sandboxes } = lifecycle.engine.clients.network;
  if (joinedContainer(record) !== undefined) return;
  await insist((options) => sandboxes.removeSandbox({ id: record.id }, options));
}

async function releaseAll(lifecycle: Lifecycle, record: ContainerRecord): Promise<void> {
  const { graphdriver, volume } = lifecycle.engine.clients;
  const { id } = record;
  await together(
    removeSandbox(lifecycle, record),
    insist((options) => graphdriver.layers.unmountLayer({ id, holder: id }, options)),
    hasVolumes(record)
      ? insist((options) => volume.volumes.unmountVolume({ name: '', holder: id }, options))
      : undefined,
  );
}

export function hasVolumes(record: ContainerRecord): boolean {
  return record.mounts.some(({ type }) => type === 'volume');
}

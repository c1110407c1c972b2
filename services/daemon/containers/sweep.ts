import { messageOf } from '../../../kit/errors.ts';
import type { ContainerProcess } from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import { endStray } from './abandon.ts';
import { insist } from './insist.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeName } from './name-reservation.ts';
import { joinedContainer } from './network-plan.ts';
import { isLiving } from './process-watch.ts';
import { type ContainerRecord, isAlive } from './record.ts';

/**
 * Makes what the services hold exactly what the records say: sandboxes and mounts of living containers, layers, images and
 * volumes of all. What else bears a container's id was left by a crash and goes. Gives the number of things that went.
 * One service's failure keeps no other's sweep up.
 */
export async function sweep(lifecycle: Lifecycle, processes: ReadonlyMap<string, ContainerProcess>): Promise<number> {
  const { log } = lifecycle;
  const work = [
    ['processes', sweepProcesses(lifecycle, processes)],
    ['sandboxes', sweepSandboxes(lifecycle)],
    ['images', sweepImages(lifecycle)],
    ['volumes', sweepVolumes(lifecycle)],
    ['layers', sweepLayers(lifecycle)],
    ['names', Promise.resolve(sweepNames(lifecycle))],
  ] as const;
  const swept = await Promise.all(
    work.map(([what, done]) =>
      done.catch((error: unknown) => {
        log.warn({ what, problem: messageOf(error) }, 'not everything that a crash may have left could be looked for');
        return 0;
      }),
    ),
  );
  return swept.reduce((sum, count) => sum + count, 0);
}

/** Processes without a record, or of a generation that the record has left behind. */
async function sweepProcesses(lifecycle: Lifecycle, processes: ReadonlyMap<string, ContainerProcess>): Promise<number> {
  const strays = [...processes.values()].filter((process) => {
    const record = lifecycle.repository.get(process.id);
    return record === undefined || (isLiving(process) && process.generation < record.generation);
  });
  await Promise.all(strays.map(({ id }) => endStray(lifecycle, id)));
  return strays.length;
}

async function sweepSandboxes(lifecycle: Lifecycle): Promise<number> {
  const keep = lifecycle.repository
    .all()
    .filter((record) => isAlive(record) && joinedContainer(record) === undefined)
    .map(({ id }) => id);
  const { control } = lifecycle.engine.clients.network;
  const { removed, missing } = await insist((options) => control.reconcileSandboxes({ keep }, options));
  for (const container of missing) lifecycle.log.warn({ container }, 'a running container has lost its network');
  return removed.length;
}

async function sweepImages(lifecycle: Lifecycle): Promise<number> {
  const { images } = lifecycle.engine.clients.graph;
  const holdings = lifecycle.repository.all().map(({ id, imageId }) => ({ holder: id, imageId }));
  return (await insist((options) => images.reconcileHolders({ holdings }, options))).released.length;
}

/** A holder without a record is a create that never came to its end: nobody has seen its anonymous volumes. */
async function sweepVolumes(lifecycle: Lifecycle): Promise<number> {
  const { volumes } = lifecycle.engine.clients.volume;
  const unfinished = new Set<string>();
  for await (const { volume } of volumes.listVolumes({})) {
    for (const holder of volume?.holders ?? []) {
      if (lifecycle.repository.get(holder) === undefined) unfinished.add(holder);
    }
  }
  for (const holder of unfinished) {
    await insist((options) => volumes.releaseVolume({ name: '', holder, removeAnonymous: true }, options));
  }
  const holdings = lifecycle.repository
    .all()
    .flatMap((record) =>
      record.mounts
        .filter(({ type }) => type === 'volume')
        .map(({ name }) => ({ holder: record.id, name, mounted: isAlive(record) })),
    );
  const { released } = await insist((options) => volumes.reconcileHolders({ holdings }, options));
  return unfinished.size + released.length;
}

/** Writable layers without a record; mounts whose holder does not run. What a power cut has taken is made again. */
async function sweepLayers(lifecycle: Lifecycle): Promise<number> {
  const { layers } = lifecycle.engine.clients.graphdriver;
  const work: Promise<unknown>[] = [];
  const found = new Set<string>();
  for await (const { layer } of layers.listLayers({ writableOnly: true })) {
    if (layer === undefined) continue;
    const { id } = layer;
    found.add(id);
    const isGone = lifecycle.repository.get(id) === undefined;
    const idle = layer.holders.filter((holder) => !runs(lifecycle.repository.get(holder)));
    if (!isGone && idle.length === 0) continue;
    const unmounted = Promise.all(
      idle.map((holder) => insist((options) => layers.unmountLayer({ id, holder }, options))),
    );
    work.push(unmounted.then(() => (isGone ? insist((options) => layers.removeLayer({ id }, options)) : undefined)));
  }
  const lost = lifecycle.repository
    .all()
    .filter(({ id, generation, desired }) => generation === 0 && desired !== 'removed' && !found.has(id));
  await Promise.all([...work, ...lost.map((record) => remakeLayer(lifecycle, record))]);
  return work.length;
}

/** A layer is on the disk some time after it is made, at the latest when it is first mounted; until then it is empty. */
async function remakeLayer(lifecycle: Lifecycle, { id, imageId, hostConfig }: ContainerRecord): Promise<void> {
  const { engine, log } = lifecycle;
  const { graph, graphdriver } = engine.clients;
  try {
    const { image } = await insist((options) => graph.images.acquireImage({ reference: imageId, holder: id }, options));
    const request = { id, parent: image?.topLayer ?? '', storageOptions: hostConfig.storageOpt };
    await insist((options) => graphdriver.layers.createLayer(request, options));
    log.info(
      { container: id },
      'the layer of a container that has never run was lost, in a power cut, and is made again',
    );
  } catch (error) {
    log.warn(
      { container: id, problem: messageOf(error) },
      'its layer is lost and cannot be made again: it will not start',
    );
  }
}

function runs(record: ContainerRecord | undefined): boolean {
  return record !== undefined && isAlive(record);
}

/** The link graph is the authority on names; a name without a container goes, a container without a name gets its own again. */
function sweepNames(lifecycle: Lifecycle): number {
  const { engine, repository } = lifecycle;
  const named = engine.links.list('/', 0);
  const orphans = [...named.values()].filter((id) => repository.get(id) === undefined);
  for (const id of orphans) engine.links.purge(id);
  const names = new Map([...named].map(([path, id]) => [id, path.slice(1)]));
  for (const record of repository.all()) {
    const name = names.get(record.id);
    if (name === undefined) takeName(lifecycle, record.name, record.id);
    else if (name !== record.name) repository.apply({ put: [{ ...record, name }] });
  }
  return orphans.length;
}

import { messageOf } from '../../../kit/errors.ts';
import type { ContainerConfig, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { MountPoint } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import type { Image } from '../../../proto/gen/longshore/graph/v1/image.ts';
import { errors } from '../errors.ts';
import { insist, together, unhurried } from './insist.ts';
import type { Lifecycle } from './lifecycle.ts';
import { anonymousVolumes, type PlannedMount } from './mount-plan.ts';

/** What a container is made of and holds for as long as it is there. */
export interface Acquired {
  image: Image;
  mounts: MountPoint[];
}

/**
 * The effects of a create: (image ∥ volumes) → the image's own volumes, writable layer. All of them bear the container's id.
 * `undo` takes each of them back.
 */
export async function acquire(
  lifecycle: Lifecycle,
  container: { id: string; config: ContainerConfig; host: HostConfig; platform: string },
  planned: readonly PlannedMount[],
  undo: AsyncDisposableStack,
): Promise<Acquired> {
  const { graph, graphdriver } = lifecycle.engine.clients;
  const { id, config, host, platform } = container;
  const undoing = (what: string, work: () => Promise<unknown>) =>
    undo.defer(() => forgiving(lifecycle, id, what, work));

  const mounts: MountPoint[] = [];
  const acquireVolumes = async (volumes: readonly PlannedMount[]) => {
    const points = await Promise.all(volumes.map((mount) => acquireVolume(lifecycle, id, mount)));
    mounts.push(...points);
  };
  undoing('volumes', () => releaseVolumes(lifecycle, id, mounts));
  undoing('image', () => insist((options) => graph.images.releaseImage({ id: '', holder: id }, options)));
  const acquiring = insist((options) => graph.images.acquireImage({ reference: config.image, holder: id }, options));
  await together(acquiring, acquireVolumes(planned));
  const { image } = await acquiring;
  if (image === undefined) throw errors.imageUnusable({ image: config.image, problem: 'the image store gave none' });
  checkPlatform(config.image, image, platform);

  const own = (image.config?.volumes ?? []).filter((place) => !mounts.some(({ destination }) => destination === place));
  undoing('layer', () => insist((options) => graphdriver.layers.removeLayer({ id }, options)));
  await together(
    acquireVolumes(anonymousVolumes(id, own, host.volumeDriver)),
    insist((options) =>
      graphdriver.layers.createLayer({ id, parent: image.topLayer, storageOptions: host.storageOpt }, options),
    ),
  );
  return { image, mounts };
}

async function acquireVolume(lifecycle: Lifecycle, id: string, planned: PlannedMount): Promise<MountPoint> {
  const { point, labels, options } = planned;
  if (point.type !== 'volume') return point;
  const { name, driver, anonymous } = point;
  const request = { holder: id, volume: { name, driver, anonymous, labels, options } };
  const { volume } = await insist((call) => lifecycle.engine.clients.volume.volumes.acquireVolume(request, call));
  return { ...point, driver: volume?.driver ?? driver, source: volume?.mountpoint ?? '' };
}

async function releaseVolumes(lifecycle: Lifecycle, id: string, mounts: readonly MountPoint[]): Promise<void> {
  if (!mounts.some(({ type }) => type === 'volume')) return;
  const { volumes } = lifecycle.engine.clients.volume;
  await insist((options) => volumes.releaseVolume({ name: '', holder: id, removeAnonymous: true }, options));
}

function checkPlatform(reference: string, image: Image, platform: string): void {
  if (platform === '') return;
  const [os = '', architecture = ''] = platform.split('/');
  const isOther = (wanted: string, actual: string) => wanted !== '' && actual !== '' && wanted !== actual;
  if (!isOther(os, image.os) && !isOther(architecture, image.architecture)) return;
  const actual = `${image.os}/${image.architecture}`;
  throw errors.platformMismatch({ image: reference, wanted: platform, actual });
}

/** An undo that fails leaves something with our id on it: the restore step finds it. The first failure is what counts. */
async function forgiving(lifecycle: Lifecycle, id: string, what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await unhurried(work);
  } catch (error) {
    lifecycle.log.warn({ container: id, what, problem: messageOf(error) }, 'a create that failed is not fully undone');
  }
}

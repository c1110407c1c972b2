import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { messageOf } from '../../../kit/errors.ts';
import {
  FilesPurpose,
  type MountPoint,
  type OpenedMount,
  type OpenFilesRequest,
  type OpenFilesResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { containerEvent } from './container-event.ts';
import { insist, unhurried } from './insist.ts';
import { type Lifecycle, present } from './lifecycle.ts';
import { hasHostIds } from './network-plan.ts';
import { type ContainerRecord, isAlive } from './record.ts';

/** One call for a container's files. Its removal ends it, and waits until it has given everything back. */
export interface FilesLease {
  end(): Promise<void>;
}

const actions: { readonly [purpose: number]: string | undefined } = {
  [FilesPurpose.FILES_PURPOSE_READ]: 'archive-path',
  [FilesPurpose.FILES_PURPOSE_WRITE]: 'extract-to-dir',
  [FilesPurpose.FILES_PURPOSE_EXPORT]: 'export',
};

/**
 * Holds a container's layer and volumes for as long as the caller listens. They are held under a name of their own, so that
 * starts and stops meanwhile change nothing; if the engine dies, the restore step finds a holder that is no container.
 */
export async function* openFiles(
  lifecycle: Lifecycle,
  { container, purpose }: OpenFilesRequest,
  signal: AbortSignal,
): AsyncGenerator<OpenFilesResponse, void> {
  const record = lifecycle.repository.find(container);
  const { id } = record;
  refuseGoing(record);
  const holder = `files:${randomBytes(16).toString('hex')}`;
  const revoked = new AbortController();
  const holding = hold(lifecycle, record, holder, purpose);
  let released: Promise<void> | undefined;
  const releaseOnce = () => {
    released ??= unhurried(async () => {
      await holding.catch(() => undefined);
      await giveBack(lifecycle, record, holder);
    });
    return released;
  };
  const lease: FilesLease = {
    end() {
      revoked.abort();
      return releaseOnce();
    },
  };
  const leases = lifecycle.filesLeases.get(id) ?? new Set();
  lifecycle.filesLeases.set(id, leases.add(lease));
  try {
    const opened = await holding;
    refuseGoing(present(lifecycle, id));
    if (revoked.signal.aborted) throw errors.removalInProgress({ container: id, verb: 'read' });
    const action = actions[purpose];
    if (action !== undefined) {
      lifecycle.repository.apply({ events: [containerEvent(record, action, lifecycle.now())] });
    }
    yield opened;
    const ended = AbortSignal.any([signal, revoked.signal]);
    if (!ended.aborted) await once(ended, 'abort');
    if (revoked.signal.aborted) throw errors.removalInProgress({ container: id, verb: 'read' });
  } finally {
    await releaseOnce();
    leases.delete(lease);
    if (leases.size === 0) lifecycle.filesLeases.delete(id);
  }
}

/** Before a removal: nobody may hold what is about to go. */
export async function endFilesLeases(lifecycle: Lifecycle, id: string): Promise<void> {
  await Promise.all(Array.from(lifecycle.filesLeases.get(id) ?? [], (lease) => lease.end()));
}

function refuseGoing({ id, status }: ContainerRecord): void {
  if (status === 'removing' || status === 'dead') throw errors.removalInProgress({ container: id, verb: 'read' });
}

async function hold(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  holder: string,
  purpose: FilesPurpose,
): Promise<OpenFilesResponse> {
  const { id, config, hostConfig } = record;
  const { layers } = lifecycle.engine.clients.graphdriver;
  const hostIds = hasHostIds(record, lifecycle.engine.facts);
  const { path: rootPath } = await insist((options) => layers.mountLayer({ id, holder, hostIds }, options));
  const isExport = purpose === FilesPurpose.FILES_PURPOSE_EXPORT;
  return {
    containerId: id,
    rootPath,
    readOnlyRoot: hostConfig.readonlyRootfs || isExport,
    mounts: isExport ? [] : await mountsOf(lifecycle, record, holder, rootPath),
    user: config.user,
    mappedIds: !hostIds,
  };
}

async function mountsOf(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  holder: string,
  rootPath: string,
): Promise<OpenedMount[]> {
  const { volumes } = lifecycle.engine.clients.volume;
  const opened: OpenedMount[] = [];
  const isTaken = (place: string) => record.mounts.some(({ destination }) => destination === place);
  for (const [source, destination] of [
    [record.resolvConfPath, '/etc/resolv.conf'],
    [record.hostsPath, '/etc/hosts'],
    [record.hostnamePath, '/etc/hostname'],
  ] as const) {
    if (source !== '' && !isTaken(destination)) opened.push({ source, destination, readOnly: false });
  }
  for (const point of record.mounts.filter(({ type }) => type !== 'tmpfs')) {
    let { source } = point;
    // A running container has its volumes mounted.
    if (point.type === 'volume' && !isAlive(record)) {
      const request = volumeRequest(record, point, holder, rootPath);
      source = (await insist((options) => volumes.mountVolume(request, options))).path;
    }
    opened.push({ source, destination: point.destination, readOnly: !point.readWrite });
  }
  return opened;
}

/** A volume that may be empty shows what the image has at its place, as after a start. */
function volumeRequest(record: ContainerRecord, point: MountPoint, holder: string, rootPath: string) {
  const isFilled = record.volumesFilled || point.noCopy;
  const containerRoot = isFilled ? '' : rootPath;
  return { name: point.name, holder, containerRoot, destination: point.destination, noCopy: isFilled };
}

async function giveBack(lifecycle: Lifecycle, record: ContainerRecord, holder: string): Promise<void> {
  const { graphdriver, volume } = lifecycle.engine.clients;
  const { id } = record;
  const works = [insist((options) => graphdriver.layers.unmountLayer({ id, holder }, options))] as Promise<unknown>[];
  if (record.mounts.some(({ type }) => type === 'volume')) {
    const request = { name: '', holder, removeAnonymous: false };
    works.push(insist((options) => volume.volumes.releaseVolume(request, options)));
  }
  for (const result of await Promise.allSettled(works)) {
    if (result.status === 'fulfilled') continue;
    const problem = messageOf(result.reason);
    lifecycle.log.warn({ container: id, problem }, 'what was held for its files is not given back; a restart does it');
  }
}

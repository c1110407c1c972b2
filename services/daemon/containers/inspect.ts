import { messageOf } from '../../../kit/errors.ts';
import {
  type Container,
  ContainerStatus,
  type Health as HealthMessage,
  HealthStatus as HealthNumber,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import type { Health, HealthStatus } from './health/health.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ContainerRecord, Status } from './record.ts';

export interface Sizes {
  sizeRw: number;
  sizeRoot: number;
}

const statusNumbers: { readonly [status in Status]: ContainerStatus } = {
  created: ContainerStatus.CONTAINER_STATUS_CREATED,
  starting: ContainerStatus.CONTAINER_STATUS_STARTING,
  running: ContainerStatus.CONTAINER_STATUS_RUNNING,
  paused: ContainerStatus.CONTAINER_STATUS_PAUSED,
  stopping: ContainerStatus.CONTAINER_STATUS_STOPPING,
  restarting: ContainerStatus.CONTAINER_STATUS_RESTARTING,
  exited: ContainerStatus.CONTAINER_STATUS_EXITED,
  removing: ContainerStatus.CONTAINER_STATUS_REMOVING,
  dead: ContainerStatus.CONTAINER_STATUS_DEAD,
};

export function statusNumber(status: Status): ContainerStatus {
  return statusNumbers[status];
}

/** A record as clients see it. */
export function toContainer(record: ContainerRecord, health: Health | undefined, sizes?: Sizes): Container {
  return {
    id: record.id,
    name: record.name,
    createdAtNs: record.createdAtNs,
    config: record.config,
    hostConfig: record.hostConfig,
    image: record.config.image,
    imageId: record.imageId,
    state: {
      status: statusNumber(record.status),
      pid: record.pid,
      exitCode: record.exitCode,
      error: record.error,
      oomKilled: record.oomKilled,
      startedAtNs: record.startedAtNs,
      finishedAtNs: record.finishedAtNs,
      generation: record.generation,
      restartCount: record.restartCount,
      health: health && healthMessage(health),
    },
    layerDriver: record.layerDriver,
    mounts: [...record.mounts],
    network: record.network,
    resolvConfPath: record.resolvConfPath,
    hostsPath: record.hostsPath,
    hostnamePath: record.hostnamePath,
    logPath: record.logPath,
    args: [...record.args],
    sizeRw: sizes?.sizeRw,
    sizeRoot: sizes?.sizeRoot,
    platform: record.platform,
    revision: record.revision,
    apparmorProfile: record.appArmorProfile ?? '',
  };
}

const healthNumbers: { readonly [status in HealthStatus]: HealthNumber } = {
  starting: HealthNumber.HEALTH_STATUS_STARTING,
  healthy: HealthNumber.HEALTH_STATUS_HEALTHY,
  unhealthy: HealthNumber.HEALTH_STATUS_UNHEALTHY,
};

function healthMessage({ status, failingStreak, log }: Health): HealthMessage {
  return {
    status: healthNumbers[status],
    failingStreak,
    log: log.map(({ output, ...result }) => ({ ...result, output: Buffer.from(output) })),
  };
}

/**
 * Measures the writable layer now; the root is that and the image's layers. Undefined for one that cannot be measured, or goes
 * meanwhile: it is no reason not to show the others.
 */
export async function measure(lifecycle: Lifecycle, record: ContainerRecord): Promise<Sizes | undefined> {
  const { graphdriver, graph } = lifecycle.engine.clients;
  try {
    const [{ layer }, { image }] = await Promise.all([
      graphdriver.layers.getLayer({ id: record.id, measure: true }),
      graph.images.getImage({ reference: record.imageId }),
    ]);
    const sizeRw = layer?.size ?? 0;
    return { sizeRw, sizeRoot: sizeRw + (image?.size ?? 0) };
  } catch (error) {
    lifecycle.log.warn({ container: record.id, problem: messageOf(error) }, 'a container cannot be measured');
    return undefined;
  }
}

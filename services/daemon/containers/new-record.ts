import type { ContainerConfig, EndpointConfig, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import { ImageConfig } from '../../../proto/gen/longshore/graph/v1/image.ts';
import type { EngineFacts } from '../daemon.ts';
import type { Acquired } from './acquire.ts';
import { mergeImage } from './merge-image.ts';
import { noNetwork } from './network-plan.ts';
import type { ContainerRecord } from './record.ts';

export interface Asked {
  id: string;
  name: string;
  requestHash: string;
  unanswered?: string | undefined;
  config: ContainerConfig;
  host: HostConfig;
  endpoints: { [network: string]: EndpointConfig };
  platform: string;
}

/** A container that was just made and never ran. */
export function newRecord(asked: Asked, acquired: Acquired, facts: EngineFacts, createdAtNs: bigint): ContainerRecord {
  const { image, mounts } = acquired;
  const merged = mergeImage(asked.config, image.config ?? ImageConfig.create());
  const hostname = asked.host.networkMode === 'host' ? facts.host.hostname : asked.id.slice(0, 12);
  return {
    id: asked.id,
    name: asked.name,
    status: 'created',
    desired: 'stopped',
    generation: 0,
    pending: undefined,
    config: { ...merged, hostname: merged.hostname || hostname },
    hostConfig: asked.host,
    endpoints: asked.endpoints,
    platform: `${image.os || 'linux'}/${image.architecture}`.replace(/\/$/, ''),
    createdAtNs,
    startedAtNs: 0n,
    finishedAtNs: 0n,
    requestHash: asked.requestHash,
    unanswered: asked.unanswered,
    imageId: image.id,
    layerDriver: facts.graphdriver.driver,
    args: [...(merged.entrypoint?.values ?? []), ...(merged.cmd?.values ?? [])],
    mounts,
    pid: 0,
    exitCode: 0,
    error: '',
    oomKilled: false,
    restartCount: 0,
    backoffMs: 0,
    stoppedByHand: false,
    volumesFilled: false,
    network: noNetwork,
    resolvConfPath: '',
    hostsPath: '',
    hostnamePath: '',
    logPath: '',
    bootId: '',
    revision: 0,
  };
}

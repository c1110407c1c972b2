import type { ContainerConfig, EndpointConfig, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import {
  CreateContainerRequest,
  type MountPoint,
  type NetworkState,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';

/** `created → starting → running ⇄ paused → stopping → exited → removing`, and `restarting`, `dead`. */
export const statuses = [
  'created',
  'starting',
  'running',
  'paused',
  'stopping',
  'restarting',
  'exited',
  'removing',
  'dead',
] as const;

export type Status = (typeof statuses)[number];

/** A verb that a crash may cut in two; the next start of the engine finishes it. */
export interface Pending {
  verb: 'stop' | 'restart' | 'remove' | 'update' | 'unlink';
  requestId: string;
  /** Of a stop and a restart: the signal, and the seconds until SIGKILL (-1: no end). */
  signal?: number;
  timeoutS?: number;
  /** Of a removal: anonymous volumes go too. */
  removeVolumes?: boolean;
}

/** What the engine knows of a container. Never changed in place: each change is a new record. */
export interface ContainerRecord extends Facts {
  readonly id: string;
  /** Without the slash. */
  readonly name: string;
  readonly status: Status;
  /** What its users asked for last; `stopped` keeps restart policies from starting it again. */
  readonly desired: 'running' | 'stopped' | 'removed';
  /** Counts its starts, failed ones too. */
  readonly generation: number;
  readonly pending: Pending | undefined;
  /** Merged with the image's. */
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: { [network: string]: EndpointConfig };
  readonly platform: string;
}

/** The rest of a record; it is kept as JSON. Times are nanoseconds since 1970, 0: never. */
export interface Facts {
  readonly createdAtNs: bigint;
  readonly startedAtNs: bigint;
  readonly finishedAtNs: bigint;
  /** sha256 of the request that made it. */
  readonly requestHash: string;
  /** As long as nobody has been told that it is there: sha256 of that request without its id. */
  readonly unanswered?: string | undefined;
  readonly imageId: string;
  readonly layerDriver: string;
  /** The path and what follows it. */
  readonly args: readonly string[];
  readonly mounts: readonly MountPoint[];
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly restartCount: number;
  /** What the next restart by policy waits first, in milliseconds. */
  readonly backoffMs: number;
  /** A user has stopped it by hand since its last start. */
  readonly stoppedByHand: boolean;
  /** Volumes have what the image holds at their places. */
  readonly volumesFilled: boolean;
  readonly network: NetworkState;
  readonly resolvConfPath: string;
  readonly hostsPath: string;
  readonly hostnamePath: string;
  readonly logPath: string;
  /** As the exec driver has told at the last start; of an earlier version, absent. */
  readonly appArmorProfile?: string;
  /** Of the host, when it was started last. */
  readonly bootId: string;
  readonly revision: number;
}

/** A process of its own is there, or is to be again soon: Docker's `Running`. */
export function isRunning(record: ContainerRecord): boolean {
  return isAlive(record) || record.status === 'restarting';
}

/** There is a process. */
export function isAlive(record: ContainerRecord): boolean {
  return record.status === 'running' || record.status === 'paused' || record.status === 'stopping';
}

export interface Row {
  id: string;
  name: string;
  status: string;
  desired: string;
  generation: number;
  pending: string | null;
  request: Uint8Array;
  facts: string;
}

export function toRow(record: ContainerRecord): Row {
  const { id, name, status, desired, generation, pending, config, hostConfig, endpoints, platform, ...facts } = record;
  return {
    id,
    name,
    status,
    desired,
    generation,
    pending: pending === undefined ? null : JSON.stringify(pending),
    request: CreateContainerRequest.encode({ id, name: '', config, hostConfig, endpoints, platform }).finish(),
    facts: JSON.stringify(facts, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)),
  };
}

export function fromRow(row: Record<string, unknown>): ContainerRecord {
  const request = row['request'];
  const made = CreateContainerRequest.decode(request instanceof Uint8Array ? request : new Uint8Array());
  if (made.config === undefined || made.hostConfig === undefined)
    throw new Error(`the record of ${row['id']} is broken`);
  const facts = JSON.parse(String(row['facts'])) as Facts &
    Record<'createdAtNs' | 'startedAtNs' | 'finishedAtNs', string>;
  return {
    ...facts,
    createdAtNs: BigInt(facts.createdAtNs),
    startedAtNs: BigInt(facts.startedAtNs),
    finishedAtNs: BigInt(facts.finishedAtNs),
    id: String(row['id']),
    name: String(row['name']),
    status: statuses.find((status) => status === row['status']) ?? 'dead',
    desired: row['desired'] as ContainerRecord['desired'],
    generation: Number(row['generation']),
    pending: row['pending'] === null ? undefined : (JSON.parse(String(row['pending'])) as Pending),
    config: made.config,
    hostConfig: made.hostConfig,
    endpoints: made.endpoints,
    platform: made.platform,
  };
}

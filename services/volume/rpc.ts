import type { Control } from '../../kit/control.ts';
import { programVersion } from '../../kit/flags.ts';
import type { Commit } from '../../kit/outcomes.ts';
import type { Records } from '../../kit/records.ts';
import type { ServiceConfig } from '../../kit/service.ts';
import type { Sequence } from '../../kit/watch.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type { ControlServiceImplementation } from '../../proto/gen/longshore/volume/v1/control.ts';
import {
  AcquireVolumeRequest,
  AcquireVolumeResponse,
  CreateVolumeRequest,
  CreateVolumeResponse,
  MountVolumeRequest,
  MountVolumeResponse,
  ReleaseVolumeRequest,
  ReleaseVolumeResponse,
  RemoveVolumeRequest,
  RemoveVolumeResponse,
  UnmountVolumeRequest,
  UnmountVolumeResponse,
  type Volume,
  type VolumeServiceImplementation,
} from '../../proto/gen/longshore/volume/v1/volume.ts';
import type { VolumeControl } from './control.ts';
import type { VolumeDriver } from './driver.ts';
import { errors } from './errors.ts';
import { reconcileHolders, releaseFrom, unmountFrom } from './holders.ts';
import { repeatable } from './mutation.ts';
import type { VolumeEvent } from './volume-events.ts';
import { matches } from './volume-filter.ts';
import type { VolumeRecord, VolumeRecords } from './volume-records.ts';
import type { ImagePlace, Settle, Volumes, VolumeWish } from './volumes.ts';

export function controlService(parts: {
  config: ServiceConfig;
  control: Control;
  volumeControl: VolumeControl;
  driver: VolumeDriver;
}): ControlServiceImplementation {
  const { config, control, volumeControl, driver } = parts;
  return {
    async identify() {
      const { dataRoot, execRoot } = config;
      return { identity: { version: programVersion(), pid: process.pid, dataRoot, execRoot, ...control.fence() } };
    },
    init: async (request) => ({ count: await volumeControl.init(request), drivers: [driver.name] }),
    drain: async ({ keep }) => ({ problems: await volumeControl.drain(keep) }),
  };
}

export function volumeService(parts: {
  records: Records;
  volumes: Volumes;
  volumeRecords: VolumeRecords;
  volumeControl: VolumeControl;
  driver: VolumeDriver;
  events: Sequence<VolumeEvent>;
}): VolumeServiceImplementation {
  const { records, volumes, volumeRecords, volumeControl, driver, events } = parts;
  const describe = (volume: VolumeRecord): Volume => ({
    ...volume,
    mountpoint: driver.mountpoint(volume.name),
    scope: driver.scope,
    holders: volumeRecords.holdings(volume.name).map((holding) => holding.holder),
  });
  const described = (name: string): Volume => {
    const volume = volumes.find(name);
    if (volume === undefined) throw errors.volumeNotFound({ name });
    return describe(volume);
  };

  /** Fills in the answer in the transaction that keeps it, when all of it is so. */
  const settling =
    <A extends { outcome: Outcome }>(commit: Commit<A>, answer: A, complete: () => void = () => {}): Settle =>
    (isDone, record) => {
      commit(answer, () => {
        record();
        answer.outcome = isDone ? Outcome.OUTCOME_DONE : Outcome.OUTCOME_ALREADY;
        complete();
      });
    };
  const ready = <Q, A>(work: (request: Q) => Promise<A>) => {
    return async (request: Q) => {
      volumeControl.needInit();
      return work(request);
    };
  };
  const holders = { volumes, volumeRecords };

  return {
    createVolume: ready(
      repeatable(records, CreateVolumeRequest, CreateVolumeResponse, async (request, commit) => {
        const answer: CreateVolumeResponse = { outcome: Outcome.OUTCOME_ALREADY, volume: undefined };
        const complete = () => {
          answer.volume = described(request.name);
        };
        await volumes.create(wishOf(request), settling(commit, answer, complete));
        return answer;
      }),
    ),
    acquireVolume: ready(
      repeatable(records, AcquireVolumeRequest, AcquireVolumeResponse, async ({ volume: wanted, holder }, commit) => {
        if (wanted === undefined) throw errors.badRequest({ field: 'volume', problem: 'it is missing' });
        checkHolder(holder);
        const answer: AcquireVolumeResponse = { outcome: Outcome.OUTCOME_ALREADY, volume: undefined };
        const complete = () => {
          answer.volume = described(wanted.name);
        };
        await volumes.acquire(wishOf(wanted), holder, settling(commit, answer, complete));
        return answer;
      }),
    ),
    releaseVolume: ready(
      repeatable(records, ReleaseVolumeRequest, ReleaseVolumeResponse, async (request, commit) => {
        const removed = await releaseFrom(holders, request.holder, request.name, request.removeAnonymous);
        const outcome = removed === undefined ? Outcome.OUTCOME_ABSENT : Outcome.OUTCOME_DONE;
        return commit({ outcome, removed: removed ?? [] });
      }),
    ),
    reconcileHolders: ready(async ({ holdings }) => ({ released: await reconcileHolders(holders, holdings) })),
    mountVolume: ready(
      repeatable(records, MountVolumeRequest, MountVolumeResponse, async (request, commit) => {
        checkHolder(request.holder);
        const answer: MountVolumeResponse = { outcome: Outcome.OUTCOME_ALREADY, path: driver.mountpoint(request.name) };
        await volumes.mount(request.name, request.holder, imagePlaceOf(request), settling(commit, answer));
        return answer;
      }),
    ),
    unmountVolume: ready(
      repeatable(records, UnmountVolumeRequest, UnmountVolumeResponse, async ({ name, holder }, commit) => {
        const isDone = await unmountFrom(holders, holder, name);
        return commit({ outcome: isDone ? Outcome.OUTCOME_DONE : Outcome.OUTCOME_ABSENT });
      }),
    ),
    getVolume: ready(async ({ name }) => ({ volume: described(name) })),
    async *listVolumes(filter) {
      volumeControl.needInit();
      for (const volume of volumes.all().map(describe)) {
        if (matches(volume, volume.holders, filter)) yield { volume };
      }
    },
    removeVolume: ready(
      repeatable(records, RemoveVolumeRequest, RemoveVolumeResponse, async ({ name, force }, commit) => {
        const answer: RemoveVolumeResponse = { outcome: Outcome.OUTCOME_ABSENT };
        const isFound = await volumes.remove(name, settling(commit, answer));
        if (!isFound && !force) throw errors.volumeNotFound({ name });
        return answer;
      }),
    ),
    async *watchVolumes({ after }, { signal }) {
      volumeControl.needInit();
      const changes = events.watch(after === 0 ? events.cursor : after, signal);
      yield { cursor: 0, latest: events.cursor };
      for await (const { cursor, event } of changes) yield { ...event, cursor, latest: events.cursor };
    },
  };
}

function wishOf({ name, driver, options, labels, anonymous }: CreateVolumeRequest): VolumeWish {
  return { name, driver: driver === '' ? 'local' : driver, options, labels, anonymous };
}

function checkHolder(holder: string): void {
  if (holder === '') throw errors.badRequest({ field: 'holder', problem: 'it is missing' });
}

function imagePlaceOf({ containerRoot, destination, noCopy }: MountVolumeRequest): ImagePlace | undefined {
  if (noCopy || containerRoot === '' || destination === '') return undefined;
  return { root: containerRoot, place: destination };
}

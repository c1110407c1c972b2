import {
  AcquireVolumeRequest,
  AcquireVolumeResponse,
  CreateVolumeRequest,
  CreateVolumeResponse,
  type ListVolumesRequest,
  MountVolumeRequest,
  MountVolumeResponse,
  ReconcileHoldersRequest,
  ReconcileHoldersResponse,
  ReleaseVolumeRequest,
  ReleaseVolumeResponse,
  RemoveVolumeRequest,
  RemoveVolumeResponse,
  UnmountVolumeRequest,
  UnmountVolumeResponse,
  type Volume,
  type VolumeServiceImplementation,
} from '../../proto/gen/longshore/volume/v1/volume.ts';
import { watched } from '../events.ts';
import type { Life } from '../fake.ts';
import { repeatable } from '../repeatable.ts';
import { errors } from './errors.ts';
import type { VolumeMemory, VolumeStore } from './volumes.ts';

export function volumeService(
  { records }: Life<VolumeMemory>,
  store: VolumeStore,
  needInit: () => unknown,
): VolumeServiceImplementation {
  return {
    createVolume: repeatable(records, CreateVolumeRequest, CreateVolumeResponse, (request) => {
      needInit();
      const { outcome, stored } = store.create(request);
      return { outcome, volume: stored.volume };
    }),
    acquireVolume: repeatable(records, AcquireVolumeRequest, AcquireVolumeResponse, ({ volume, holder }) => {
      needInit();
      checkHolder(holder);
      if (volume === undefined) throw errors.badRequest({ field: 'volume', problem: 'is needed' });
      return store.acquire(volume, holder);
    }),
    releaseVolume: repeatable(records, ReleaseVolumeRequest, ReleaseVolumeResponse, (request) => {
      needInit();
      checkHolder(request.holder);
      return store.release(request.name, request.holder, request.removeAnonymous);
    }),
    reconcileHolders: repeatable(records, ReconcileHoldersRequest, ReconcileHoldersResponse, ({ holdings }) => {
      needInit();
      return { released: store.reconcile(holdings) };
    }),
    mountVolume: repeatable(records, MountVolumeRequest, MountVolumeResponse, ({ name, holder, destination }) => {
      needInit();
      checkHolder(holder);
      return store.mount(name, holder, destination);
    }),
    unmountVolume: repeatable(records, UnmountVolumeRequest, UnmountVolumeResponse, ({ name, holder }) => {
      needInit();
      checkHolder(holder);
      return { outcome: store.unmount(name, holder) };
    }),
    async getVolume({ name }) {
      needInit();
      return { volume: store.find(name) };
    },
    async *listVolumes(filter) {
      needInit();
      for (const volume of store.all()) if (matches(volume, filter)) yield { volume };
    },
    removeVolume: repeatable(records, RemoveVolumeRequest, RemoveVolumeResponse, ({ name, force }) => {
      needInit();
      return { outcome: store.remove(name, force) };
    }),
    async *watchVolumes({ after }, { signal }) {
      needInit();
      yield* watched(store.events, after, signal);
    },
  };
}

function matches(volume: Volume, { names, drivers, labels, dangling }: ListVolumesRequest): boolean {
  return (
    (names.length === 0 || names.some((part) => volume.name.includes(part))) &&
    (drivers.length === 0 || drivers.includes(volume.driver)) &&
    Object.entries(labels).every(
      ([key, value]) => key in volume.labels && (value === '' || volume.labels[key] === value),
    ) &&
    (dangling === undefined || dangling === (volume.holders.length === 0))
  );
}

function checkHolder(holder: string): void {
  if (holder === '') throw errors.badRequest({ field: 'holder', problem: 'is needed' });
}

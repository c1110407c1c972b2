import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type {
  CreateVolumeRequest,
  ReconcileHoldersRequest_Holding,
  Volume,
  WatchVolumesResponse,
} from '../../proto/gen/longshore/volume/v1/volume.ts';
import { type EventMemory, nowNs, openEvents } from '../events.ts';
import type { Life } from '../fake.ts';
import { errors } from './errors.ts';

export type VolumeEvent = Pick<WatchVolumesResponse, 'action' | 'name' | 'attributes' | 'timeNs'>;

interface StoredVolume {
  volume: Volume;
  /** Holders that have it mounted. */
  mounted: Set<string>;
}

export interface VolumeMemory {
  volumes: Map<string, StoredVolume>;
  events: EventMemory<VolumeEvent>;
}

export function noVolumes(): VolumeMemory {
  return { volumes: new Map(), events: [] };
}

export interface VolumeState {
  readonly volumes: ReadonlyMap<string, Volume>;
  /** Who has a volume mounted. */
  mountedBy(name: string): string[];
}

export type VolumeStore = ReturnType<typeof createVolumeStore>;

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;
const anonymousName = /^[0-9a-f]{64}$/;
const validName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const localOptions = ['type', 'o', 'device', 'size'];

export function createVolumeStore({ durable, dataRoot, bootId, bootIdBefore }: Life<VolumeMemory>) {
  const { volumes } = durable;
  const events = openEvents(durable.events);
  if (bootId !== bootIdBefore) for (const { mounted } of volumes.values()) mounted.clear();

  const tell = (action: string, { name, driver }: Volume, attributes: Record<string, string> = {}) =>
    events.append({ action, name, attributes: { driver, ...attributes }, timeNs: nowNs() });
  const find = (name: string): StoredVolume => {
    const stored = volumes.get(name);
    if (stored === undefined) throw errors.volumeNotFound({ name });
    return stored;
  };
  const ofHolder = (name: string, holder: string) =>
    [...volumes.values()].filter(
      ({ volume }) => (name === '' || volume.name === name) && volume.holders.includes(holder),
    );

  function create(request: CreateVolumeRequest): { outcome: Outcome; stored: StoredVolume } {
    const { name, options, labels } = request;
    const driver = request.driver || 'local';
    if (!validName.test(name)) throw errors.badName({ name });
    if (driver !== 'local') throw errors.unknownDriver({ driver });
    const before = volumes.get(name);
    if (before !== undefined && before.volume.driver !== driver) {
      throw errors.volumeExists({ name, driver: before.volume.driver });
    }
    if (before !== undefined) return { outcome: OUTCOME_ALREADY, stored: before };
    for (const option of Object.keys(options)) if (!localOptions.includes(option)) throw errors.badOption({ option });
    const anonymous = request.anonymous || anonymousName.test(name);
    const mountpoint = `${dataRoot}/volume/volumes/${name}/_data`;
    const createdAtNs = nowNs();
    const volume = { name, driver, mountpoint, options, labels, scope: 'local', createdAtNs, anonymous, holders: [] };
    const stored = { volume, mounted: new Set<string>() };
    volumes.set(name, stored);
    tell('create', volume);
    return { outcome: OUTCOME_DONE, stored };
  }

  function unmount({ volume, mounted }: StoredVolume, holder: string): boolean {
    const wasMounted = mounted.delete(holder);
    if (wasMounted) tell('unmount', volume, { container: holder });
    return wasMounted;
  }

  function destroy({ volume }: StoredVolume): void {
    volumes.delete(volume.name);
    tell('destroy', volume);
  }

  return {
    events,
    find: (name: string) => find(name).volume,
    all: () => [...volumes.values()].map(({ volume }) => volume),
    create,
    acquire(request: CreateVolumeRequest, holder: string) {
      const { stored } = create(request);
      const { volume } = stored;
      if (volume.holders.includes(holder)) return { outcome: OUTCOME_ALREADY, volume };
      volume.holders = [...volume.holders, holder].sort();
      return { outcome: OUTCOME_DONE, volume };
    },
    release(name: string, holder: string, removeAnonymous: boolean) {
      const held = ofHolder(name, holder);
      for (const stored of held) {
        unmount(stored, holder);
        stored.volume.holders = stored.volume.holders.filter((each) => each !== holder);
      }
      const gone = held.filter(({ volume }) => removeAnonymous && volume.anonymous && volume.holders.length === 0);
      for (const stored of gone) destroy(stored);
      return {
        outcome: held.length > 0 ? OUTCOME_DONE : OUTCOME_ABSENT,
        removed: gone.map((each) => each.volume.name),
      };
    },
    /** Gives `<holder>/<volume>` of each that was dropped. */
    reconcile(holdings: readonly ReconcileHoldersRequest_Holding[]): string[] {
      const released: string[] = [];
      for (const stored of volumes.values()) {
        const { volume } = stored;
        const wanted = holdings.filter(({ name }) => name === volume.name);
        const isWanted = (holder: string) => wanted.some((each) => each.holder === holder);
        released.push(...volume.holders.filter((each) => !isWanted(each)).map((each) => `${each}/${volume.name}`));
        for (const holder of [...stored.mounted]) {
          if (!wanted.some((each) => each.holder === holder && each.mounted)) unmount(stored, holder);
        }
        volume.holders = [...new Set(wanted.map(({ holder }) => holder))].sort();
      }
      return released;
    },
    mount(name: string, holder: string, destination: string) {
      const { volume, mounted } = find(name);
      if (mounted.has(holder)) return { outcome: OUTCOME_ALREADY, path: volume.mountpoint };
      mounted.add(holder);
      tell('mount', volume, { container: holder, destination, 'read/write': 'true', propagation: '' });
      return { outcome: OUTCOME_DONE, path: volume.mountpoint };
    },
    unmount(name: string, holder: string): Outcome {
      const affected = [...volumes.values()].filter(({ volume }) => name === '' || volume.name === name);
      return affected.filter((stored) => unmount(stored, holder)).length > 0 ? OUTCOME_DONE : OUTCOME_ABSENT;
    },
    remove(name: string, force: boolean): Outcome {
      if (force && !volumes.has(name)) return OUTCOME_ABSENT;
      const stored = find(name);
      const holder = stored.volume.holders[0] ?? [...stored.mounted][0];
      if (holder !== undefined) throw errors.volumeInUse({ name, holder });
      destroy(stored);
      return OUTCOME_DONE;
    },
    unmountAllBut(keep: ReadonlySet<string>): void {
      for (const stored of volumes.values()) {
        for (const holder of [...stored.mounted]) if (!keep.has(holder)) unmount(stored, holder);
      }
    },
    leftovers: () =>
      [...volumes.values()].flatMap(({ volume, mounted }) => [
        ...volume.holders.map((holder) => `volume ${volume.name} held by ${holder}`),
        ...[...mounted].map((holder) => `volume ${volume.name} mounted by ${holder}`),
        ...(volume.anonymous ? [`anonymous volume ${volume.name}`] : []),
      ]),
    state: {
      get volumes(): ReadonlyMap<string, Volume> {
        return new Map([...volumes].map(([name, { volume }]) => [name, volume]));
      },
      mountedBy: (name: string) => [...find(name).mounted],
    } satisfies VolumeState,
  };
}

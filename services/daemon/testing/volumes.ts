import { Volume } from '../../../proto/gen/longshore/volume/v1/volume.ts';
import type { Clients } from '../daemon.ts';
import { done, type MakeCall, signalOf, untilAborted } from './calls.ts';
import type { FakeVolume, World } from './world.ts';

export function volumeClients(world: World, call: MakeCall): Clients['volume']['volumes'] {
  interface Acquire {
    volume: { name: string; anonymous: boolean };
    holder: string;
  }
  const held = (holder: string) => [...world.volumes.values()].filter((volume) => volume.holders.has(holder));
  return {
    acquireVolume: call('volume.acquireVolume', ({ volume, holder }: Acquire) => {
      const { name, anonymous } = volume;
      const found = world.volumes.get(name) ?? { name, anonymous, holders: new Set(), mounted: new Set() };
      world.volumes.set(name, found);
      found.holders.add(holder);
      return { ...done, volume: toVolume(found) };
    }),
    releaseVolume: call(
      'volume.releaseVolume',
      ({ holder, removeAnonymous }: { holder: string; removeAnonymous: boolean }) => {
        const removed: string[] = [];
        for (const volume of held(holder)) {
          volume.holders.delete(holder);
          volume.mounted.delete(holder);
          if (removeAnonymous && volume.anonymous && volume.holders.size === 0) removed.push(volume.name);
        }
        for (const name of removed) world.volumes.delete(name);
        return { ...done, removed };
      },
    ),
    mountVolume: call('volume.mountVolume', ({ name, holder }: { name: string; holder: string }) => {
      world.volumes.get(name)?.holders.add(holder);
      world.volumes.get(name)?.mounted.add(holder);
      return { ...done, path: `/volumes/${name}/_data` };
    }),
    unmountVolume: call('volume.unmountVolume', ({ holder }: { holder: string }) => {
      for (const volume of world.volumes.values()) volume.mounted.delete(holder);
      return done;
    }),
    reconcileHolders: call(
      'volume.reconcileHolders',
      ({ holdings }: { holdings: { holder: string; name: string; mounted: boolean }[] }) => {
        for (const volume of world.volumes.values()) {
          const kept = holdings.filter(({ name }) => name === volume.name);
          volume.holders = new Set(kept.map(({ holder }) => holder));
          volume.mounted = new Set(kept.filter(({ mounted }) => mounted).map(({ holder }) => holder));
        }
        return { released: [] };
      },
    ),
    async *listVolumes() {
      for (const volume of world.volumes.values()) yield { volume: toVolume(volume) };
    },
    async *watchVolumes(_, options) {
      yield { cursor: 0, latest: 1, action: '', name: '', attributes: {}, timeNs: 0n };
      await untilAborted(signalOf(options));
    },
  };
}

function toVolume({ name, anonymous, holders }: FakeVolume): Volume {
  return Volume.create({
    name,
    driver: 'local',
    mountpoint: `/volumes/${name}/_data`,
    anonymous,
    holders: [...holders],
  });
}

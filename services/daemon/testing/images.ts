import { Image } from '../../../proto/gen/longshore/graph/v1/image.ts';
import type { Clients } from '../daemon.ts';
import { absent, done, type MakeCall, signalOf, untilAborted } from './calls.ts';
import { refusal, type World } from './world.ts';

export const busybox = Image.create({
  id: `sha256:${'b'.repeat(64)}`,
  tags: ['busybox:latest'],
  config: {
    cmd: ['sh'],
    env: ['PATH=/bin', 'IMAGE=yes'],
    labels: { vendor: 'test' },
    exposedPorts: ['80/tcp'],
    stopSignal: 'SIGQUIT',
  },
  os: 'linux',
  architecture: 'amd64',
  topLayer: 'c'.repeat(64),
  diffIds: ['sha256:low'],
  size: 1000,
});

export function imageClients(world: World, call: MakeCall): Clients['graph'] {
  return {
    images: images(world, call),
    events: {
      async *watchImages(_, options) {
        yield { cursor: 0, latest: 1, action: '', imageId: '', attributes: {}, timeNs: 0n };
        await untilAborted(signalOf(options));
      },
    },
  };
}

function images(world: World, call: MakeCall): Clients['graph']['images'] {
  const find = (reference: string) => {
    if (reference !== 'busybox' && reference !== busybox.id) {
      throw refusal('NOT_FOUND', 'IMAGE_NOT_FOUND', `No such image: ${reference}:latest`);
    }
    return busybox;
  };
  return {
    getImage: call('graph.getImage', ({ reference }: { reference: string }) => ({ image: find(reference) })),
    acquireImage: call('graph.acquireImage', ({ reference, holder }: { reference: string; holder: string }) => {
      const image = find(reference);
      world.imageHolders.set(holder, image.id);
      return { ...done, image };
    }),
    releaseImage: call('graph.releaseImage', ({ holder }: { holder: string }) =>
      world.imageHolders.delete(holder) ? done : absent,
    ),
    reconcileHolders: call('graph.reconcileHolders', ({ holdings }: { holdings: { holder: string }[] }) => {
      const kept = new Set(holdings.map(({ holder }) => holder));
      const released = [...world.imageHolders.keys()].filter((holder) => !kept.has(holder));
      for (const holder of released) world.imageHolders.delete(holder);
      return { released };
    }),
    async *listImages() {
      yield { image: busybox };
    },
  };
}

import { silentLogger } from '../../../kit/log.ts';
import { type Channel, dial, type PeerClient } from '../../../kit/rpc/dial.ts';
import { ControlServiceDefinition } from '../../../proto/gen/longshore/graph/v1/control.ts';
import { EventServiceDefinition } from '../../../proto/gen/longshore/graph/v1/event.ts';
import {
  type Image,
  ImageServiceDefinition,
  type ImportImageHeader,
  type LoadImagesResponse,
} from '../../../proto/gen/longshore/graph/v1/image.ts';

export interface GraphClient {
  channel: Channel;
  control: PeerClient<typeof ControlServiceDefinition>;
  images: PeerClient<typeof ImageServiceDefinition>;
  events: PeerClient<typeof EventServiceDefinition>;
}

export function dialGraph(endpoint: string): GraphClient {
  const channel = dial(endpoint, { role: 'test', log: silentLogger() });
  return {
    channel,
    control: channel.client(ControlServiceDefinition),
    images: channel.client(ImageServiceDefinition),
    events: channel.client(EventServiceDefinition),
  };
}

export const engineId = 'e'.repeat(32);

export async function initialise(
  client: GraphClient,
  policy: { endpoint: string; driver?: string; nonce?: string; epoch?: number },
): Promise<{ phase: number; count: number }[]> {
  const phases = client.control.init({
    fence: { engineId, epoch: policy.epoch ?? 1, bootId: '' },
    driver: policy.driver ?? 'overlay2',
    graphdriverEndpoint: policy.endpoint,
    noncePath: 'graphdriver/nonce',
    nonce: policy.nonce ?? '',
  });
  return Array.fromAsync(phases);
}

/** Sends an archive in frames of `size` bytes. */
export function load(client: GraphClient, archive: Buffer, size = 256 * 1024): Promise<LoadImagesResponse[]> {
  return Array.fromAsync(client.images.loadImages(framesOf(archive, size)));
}

export async function* framesOf(archive: Buffer, size = 256 * 1024): AsyncGenerator<{ chunk: Buffer }, void> {
  for (let at = 0; at < archive.length; at += size) yield { chunk: archive.subarray(at, at + size) };
}

/** Imports a root filesystem; gives the new image's id. */
export async function importRootfs(
  client: GraphClient,
  archive: Buffer,
  header: Partial<ImportImageHeader> = {},
): Promise<string> {
  async function* frames() {
    yield { frame: { $case: 'header', value: header } } as const;
    for await (const { chunk } of framesOf(archive)) yield { frame: { $case: 'chunk', value: chunk } } as const;
  }
  const answers = await Array.fromAsync(client.images.importImage(frames()));
  const last = answers.at(-1)?.event;
  if (last?.$case !== 'imageId') throw new TypeError('no image id at the end');
  return last.value;
}

export async function list(client: GraphClient, filter: object = {}): Promise<Image[]> {
  const answers = await Array.fromAsync(client.images.listImages(filter));
  return answers.flatMap(({ image }) => image ?? []);
}

import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type { Image } from '../../proto/gen/longshore/graph/v1/image.ts';
import type { Peers } from '../peers.ts';
import { chainIds } from './chain.ts';
import { notFound, notServed } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { graphDriverJson } from './graph-driver.ts';
import { importImage, loadImages } from './image-archives.ts';
import { historyJson } from './image-history.ts';
import { imageJson } from './image-json.ts';
import { listImages } from './image-list.ts';
import { familiarName } from './image-name.ts';
import { imageRow } from './image-row.ts';
import { patient } from './patience.ts';
import { requirePlatform } from './platform.ts';
import type { Routes } from './router.ts';
import { cannotPull } from './unserved.ts';

export function imageRoutes(peers: Peers): Routes {
  const { images } = peers;
  return {
    async 'GET /images/json'(exchange) {
      const found = await listImages(exchange, images);
      exchange.json(
        200,
        found.map((image) => imageRow(image, exchange.version)),
      );
    },

    async 'GET /images/{name:*}/json'(exchange) {
      const [image, driver] = await Promise.all([getImage(exchange, peers), storageDriver(peers)]);
      requirePlatform(exchange.query.text('platform'), image, named(exchange));
      exchange.json(200, imageJson(image, await graphDriverJson(peers, driver, image.topLayer), exchange.version));
    },

    async 'GET /images/{name:*}/history'(exchange) {
      const image = await getImage(exchange, peers);
      requirePlatform(exchange.query.text('platform'), image, named(exchange));
      const layers = await Promise.all(chainIds(image.diffIds).map((id) => peers.layers.getLayer({ id })));
      exchange.json(
        200,
        historyJson(
          image,
          layers.map(({ layer }) => layer?.size ?? 0),
        ),
      );
    },

    async 'POST /images/{name:*}/tag'(exchange) {
      const { query } = exchange;
      await images.tagImage({
        source: named(exchange),
        repository: familiarName(query.text('repo') ?? ''),
        tag: query.text('tag') ?? '',
      });
      exchange.empty(201);
    },

    async 'DELETE /images/{name:*}'(exchange) {
      const { query } = exchange;
      if (query.texts('platforms').length > 0) throw notServed('the removal of one platform of an image');
      const removed = await images.removeImage(
        {
          reference: named(exchange),
          force: query.truth('force'),
          runningHolders: await runningContainers(exchange, peers),
        },
        patient,
      );
      if (removed.outcome === Outcome.OUTCOME_ABSENT) throw noSuchImage(exchange);
      exchange.json(200, [
        ...removed.untagged.map((tag) => ({ Untagged: tag })),
        ...removed.deleted.map((id) => ({ Deleted: id })),
      ]);
    },

    'POST /images/load': (exchange) => loadImages(exchange, images),

    async 'POST /images/create'(exchange) {
      const { query } = exchange;
      const source = query.text('fromSrc');
      if (source === undefined) throw cannotPull(pulled(exchange));
      if (source !== '-') throw notServed('import from a URL (give the archive itself)');
      await importImage(exchange, images);
    },
  };
}

const named = (exchange: Exchange) => familiarName(exchange.path.name ?? '');

const noSuchImage = (exchange: Exchange) => notFound(`No such image: ${named(exchange)}`);

async function getImage(exchange: Exchange, { images }: Peers): Promise<Image> {
  const { image } = await images.getImage({ reference: named(exchange) });
  if (image === undefined) throw noSuchImage(exchange);
  return image;
}

/** Images are shown also while the daemon, which knows the driver's name, is away. */
async function storageDriver({ system }: Peers): Promise<string> {
  const info = await system.getInfo({}).catch(() => undefined);
  return info?.storageDriver ?? '';
}

async function runningContainers({ signal }: Exchange, { containers }: Peers): Promise<string[]> {
  const listed = containers.listContainers({ all: false, limit: 0, withSize: false, filter: undefined }, { signal });
  return (await Array.fromAsync(listed)).flatMap(({ container }) => (container === undefined ? [] : [container.id]));
}

function pulled({ query }: Exchange): string {
  const tag = query.text('tag');
  const image = familiarName(query.text('fromImage') ?? '');
  if (tag === undefined) return image;
  return tag.includes(':') ? `${image}@${tag}` : `${image}:${tag}`;
}

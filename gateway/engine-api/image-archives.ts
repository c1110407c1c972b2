import type { ImportImageRequest, LayerProgress, LoadedImage } from '../../proto/gen/longshore/graph/v1/image.ts';
import { notServed } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { Images } from './image-list.ts';
import { familiarName } from './image-name.ts';
import { jsonLines } from './json.ts';

/** The contract allows 1 MiB; but up to 16 frames queue on each side of the wire when the store is slow. */
const frameSize = 256 * 1024;

export async function loadImages(exchange: Exchange, images: Images): Promise<void> {
  const { query, request, signal } = exchange;
  if (query.texts('platform').length > 0) throw notServed('loading one platform of an archive');
  const isQuiet = query.truth('quiet');
  const lines = jsonLines(exchange);
  const chunks = framesOf(request);
  async function* frames() {
    for await (const chunk of chunks) yield { chunk };
  }
  try {
    for await (const { event } of images.loadImages(frames(), { signal })) {
      if (event?.$case === 'progress' && !isQuiet) await lines.write(progressLine(event.value));
      if (event?.$case === 'loaded') for (const stream of loadedLines(event.value)) await lines.write({ stream });
    }
    lines.end();
  } catch (error) {
    await lines.fail(error);
  }
}

export async function importImage(exchange: Exchange, images: Images): Promise<void> {
  const { query, request, signal } = exchange;
  const header = {
    repository: familiarName(query.text('repo') ?? ''),
    tag: query.text('tag') ?? '',
    message: query.text('message') ?? '',
    changes: query.texts('changes'),
    platform: query.text('platform') ?? '',
  };
  const lines = jsonLines(exchange);
  const chunks = framesOf(request);
  async function* frames(): AsyncGenerator<ImportImageRequest> {
    yield { frame: { $case: 'header', value: header } };
    for await (const chunk of chunks) yield { frame: { $case: 'chunk', value: chunk } };
  }
  try {
    for await (const { event } of images.importImage(frames(), { signal })) {
      if (event?.$case === 'progress') await lines.write(progressLine(event.value));
      if (event?.$case === 'imageId') await lines.write({ status: event.value });
    }
    lines.end();
  } catch (error) {
    await lines.fail(error);
  }
}

/** The body in large frames: what a connection brings at once is small, and fewer cost less on both sides. */
export async function* framesOf(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let size = 0;
  for await (let piece of body) {
    while (size + piece.length >= frameSize) {
      const rest = frameSize - size;
      yield Buffer.concat([...pieces, piece.subarray(0, rest)]);
      piece = piece.subarray(rest);
      pieces = [];
      size = 0;
    }
    pieces.push(piece);
    size += piece.length;
  }
  if (size > 0) yield Buffer.concat(pieces);
}

function progressLine({ layer, status, current, total }: LayerProgress): object {
  return {
    status,
    progressDetail: current === 0 && total === 0 ? {} : { current, ...(total > 0 && { total }) },
    ...(layer !== '' && { id: layer }),
  };
}

/** Docker's words for an image that is in. */
function loadedLines({ id, tags, takenFrom }: LoadedImage): string[] {
  if (tags.length === 0) return [`Loaded image ID: ${id}\n`];
  return tags.flatMap((tag) => {
    const before = takenFrom[tag];
    const loaded = `Loaded image: ${tag}\n`;
    if (before === undefined) return [loaded];
    return [`The image ${tag} already exists, renaming the old one with ID ${before} to empty string\n`, loaded];
  });
}

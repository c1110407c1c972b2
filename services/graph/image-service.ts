import { idempotent } from '../../kit/outcomes.ts';
import { currentCall } from '../../kit/rpc/call.ts';
import { passedOn } from '../../kit/young-garbage.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  AcquireImageRequest,
  AcquireImageResponse,
  type ImageServiceImplementation,
  type ImportImageRequest,
  type LoadImagesRequest,
  ReconcileHoldersRequest,
  ReconcileHoldersResponse,
  ReleaseImageRequest,
  ReleaseImageResponse,
  RemoveImageRequest,
  RemoveImageResponse,
  TagImageRequest,
  TagImageResponse,
} from '../../proto/gen/longshore/graph/v1/image.ts';
import { errors } from './errors.ts';
import type { Graph } from './graph.ts';
import { acquireImage, reconcileHolders, releaseImage } from './holding.ts';
import { type ImportRequest, importImage } from './import.ts';
import { listImages, viewOf } from './listing.ts';
import { loadImages } from './load.ts';
import { findImage } from './lookup.ts';
import { imageMessage } from './messages.ts';
import { removeImage } from './removal.ts';
import { tagImage } from './tagging.ts';

/** Messages to the domain and back. */
export function imageService(current: () => Graph): ImageServiceImplementation {
  return {
    async getImage({ reference, withConfigBytes }) {
      const graph = current();
      const { image } = findImage(graph, reference);
      const message = imageMessage(viewOf(graph, image));
      return { image: withConfigBytes ? { ...message, configBytes: Buffer.from(image.config) } : message };
    },

    acquireImage: (request) =>
      once(
        current(),
        AcquireImageRequest,
        AcquireImageResponse,
        request,
        (graph) => {
          const { image, isNew } = acquireImage(graph, request.reference, request.holder);
          return { response: { outcome: done(isNew), image: imageMessage(viewOf(graph, image)) } };
        },
        holdingSurvives,
      ),

    releaseImage: (request) =>
      once(
        current(),
        ReleaseImageRequest,
        ReleaseImageResponse,
        request,
        (graph) => {
          const wasHeld = releaseImage(graph, request.id, request.holder);
          return { response: { outcome: wasHeld ? Outcome.OUTCOME_DONE : Outcome.OUTCOME_ABSENT } };
        },
        holdingSurvives,
      ),

    reconcileHolders: (request) =>
      once(current(), ReconcileHoldersRequest, ReconcileHoldersResponse, request, (graph) => ({
        response: { released: reconcileHolders(graph, request.holdings) },
      })),

    async *listImages(filter) {
      const graph = current();
      for (const view of listImages(graph, filter)) yield { image: imageMessage(view) };
    },

    tagImage: (request) =>
      once(current(), TagImageRequest, TagImageResponse, request, (graph) => {
        const { image, changed } = tagImage(graph, request);
        return { response: { outcome: done(changed), imageId: image.id } };
      }),

    removeImage: (request) =>
      once(current(), RemoveImageRequest, RemoveImageResponse, request, (graph) => {
        const running = new Set(request.runningHolders);
        const { untagged, deleted, unused } = removeImage(graph, { ...request, running });
        return { response: { outcome: Outcome.OUTCOME_DONE, untagged, deleted }, unused };
      }),

    async *loadImages(requests, { signal }) {
      for await (const event of loadImages(current(), chunksOf(requests), signal)) {
        yield event.kind === 'progress'
          ? { event: { $case: 'progress', value: event } }
          : {
              event: {
                $case: 'loaded',
                value: { id: event.id, tags: [...event.tags], takenFrom: Object.fromEntries(event.takenFrom) },
              },
            };
      }
    },

    async *importImage(requests, { signal }) {
      const graph = current();
      const { header, chunks } = await opened(requests);
      for await (const event of importImage(graph, header, chunks, signal)) {
        yield event.kind === 'progress'
          ? { event: { $case: 'progress', value: event } }
          : { event: { $case: 'imageId', value: event.id } };
      }
    },
  };
}

/** The coordinator's containers say who holds what, and it tells that at each start: ReconcileHolders. */
const holdingSurvives = 'kill';

/** A mutation: one transaction with its outcome, then its events, then what it left behind. */
async function once<Request, Response>(
  graph: Graph,
  requests: { encode(message: Request): { finish(): Uint8Array } },
  responses: { encode(message: Response): { finish(): Uint8Array }; decode(bytes: Uint8Array): Response },
  request: Request,
  work: (graph: Graph) => { response: Response; unused?: readonly string[] },
  survives: 'power cut' | 'kill' = 'power cut',
): Promise<Response> {
  const { records, events, garbage } = graph;
  const mutation = {
    records,
    call: currentCall(),
    survives,
    request: requests.encode(request).finish(),
    encode: (response: Response) => responses.encode(response).finish(),
    decode: (bytes: Uint8Array) => responses.decode(bytes),
  };
  return idempotent(mutation, async (commit) => {
    const { response, unused } = records.transaction(() => {
      const result = work(graph);
      commit(result.response);
      return result;
    });
    events.publish();
    if (unused !== undefined) await garbage.collect(unused);
    return response;
  });
}

function done(changed: boolean): Outcome {
  return changed ? Outcome.OUTCOME_DONE : Outcome.OUTCOME_ALREADY;
}

async function* chunksOf(requests: AsyncIterable<LoadImagesRequest>): AsyncGenerator<Uint8Array, void> {
  for await (const { chunk } of requests) {
    if (chunk.length > 0) yield chunk;
    passedOn(chunk.length);
  }
}

/** The first frame is the header; the rest are the archive's bytes. */
async function opened(
  requests: AsyncIterable<ImportImageRequest>,
): Promise<{ header: ImportRequest; chunks: AsyncGenerator<Uint8Array, void> }> {
  const frames = requests[Symbol.asyncIterator]();
  const first = await frames.next();
  const frame = first.done === true ? undefined : first.value.frame;
  if (frame?.$case !== 'header')
    throw errors.badRequest({ field: 'frame', problem: 'the first one must be the header' });
  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
      const { frame: piece } = next.value;
      if (piece?.$case !== 'chunk') throw errors.badRequest({ field: 'frame', problem: 'a second header' });
      if (piece.value.length > 0) yield piece.value;
      passedOn(piece.value.length);
    }
  }
  return { header: frame.value, chunks: chunks() };
}

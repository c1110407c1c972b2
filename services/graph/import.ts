import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { requireSpace } from '../../kit/disk-space.ts';
import { inflate } from './archive/inflate.ts';
import { configFrom } from './changes/changes.ts';
import { type Digest, digestOf } from './digest.ts';
import type { Graph } from './graph.ts';
import type { RunConfig } from './image-file.ts';
import { type Platform, parsePlatform } from './platform.ts';
import { counted, interruptible, type Progress, reporting } from './progress.ts';
import { tagName } from './reference.ts';
import { setTag } from './tagging.ts';
import { unpack } from './unpack.ts';

export interface ImportRequest {
  /** Empty: the image gets no tag. */
  repository: string;
  tag: string;
  message: string;
  changes: readonly string[];
  platform: string;
}

export interface Imported {
  kind: 'imported';
  id: Digest;
}

/** Makes an image of one layer from a tar of a root filesystem (plain, gzip or zstd). Crash-safe as loadImages is. */
export async function* importImage(
  graph: Graph,
  request: ImportRequest,
  source: AsyncIterable<Uint8Array>,
  cancelled: AbortSignal,
): AsyncGenerator<Progress | Imported, void> {
  const platform = parsePlatform(request.platform);
  const runConfig = configFrom(request.changes);
  const name = request.repository === '' ? undefined : tagName(request.repository, request.tag);

  const signal = AbortSignal.any([cancelled, graph.closing]);
  requireSpace(dirname(graph.records.path));
  const lease = graph.leases.open();
  try {
    let received = 0;
    const bytes = counted(interruptible(source, signal), (count) => {
      received += count;
    });
    const report = (): Progress => ({ kind: 'progress', layer: '', status: 'Importing', current: received, total: 0 });
    const blob = yield* reporting(graph.content.ingest(bytes, lease), report);
    await blob.stored;
    const diffId = await diffIdOf(graph.content.stream(blob.digest), signal);
    const layers = yield* unpack(graph, [{ diffId, blob }], lease, signal);
    signal.throwIfAborted();

    const config = Buffer.from(JSON.stringify(imageFile(platform, runConfig, request.message, diffId)));
    const id = digestOf(config);
    graph.records.transaction(() => {
      const image = graph.images.add({ id, config, layers });
      if (name !== undefined) {
        setTag(graph, name, image);
        graph.events.record('tag', image, name);
      }
      graph.events.record('import', image);
    });
    await graph.records.synced();
    graph.events.publish();
    yield { kind: 'imported', id };
  } finally {
    await graph.garbage.collect(await lease.release());
  }
}

async function diffIdOf(blob: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of interruptible(inflate(blob, 'the archive'), signal)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

function imageFile(platform: Platform, config: RunConfig, comment: string, diffId: Digest) {
  const created = new Date().toISOString();
  return {
    ...platform,
    config,
    created,
    ...(comment !== '' && { comment }),
    history: [{ created, ...(comment !== '' && { comment }) }],
    rootfs: { type: 'layers', diff_ids: [diffId] },
  };
}

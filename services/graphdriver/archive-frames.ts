import type { ApplyLayerHeader, ApplyLayerRequest } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import type { Archive } from './apply-layer.ts';
import { errors } from './errors.ts';
import { relativePath } from './request-checks.ts';

/** Takes the header off ApplyLayer's frames. The rest is read only when the archive is. */
export async function takeHeader(
  frames: AsyncIterable<ApplyLayerRequest>,
): Promise<{ header: ApplyLayerHeader; rest: AsyncIterator<ApplyLayerRequest> }> {
  const rest = frames[Symbol.asyncIterator]();
  const first = await rest.next();
  if (first.done === true || first.value.frame?.$case !== 'header') {
    throw errors.badRequest({ field: 'frame', problem: 'must be the header in the first message' });
  }
  return { header: first.value.frame.value, rest };
}

/** The archive that a header points to. */
export function archiveOf(
  header: ApplyLayerHeader,
  rest: AsyncIterator<ApplyLayerRequest>,
  { dataRoot, signal }: { dataRoot: string; signal: AbortSignal },
): Archive {
  const { source } = header;
  if (source?.$case === 'path') return { kind: 'file', dataRoot, path: relativePath('path', source.value), signal };
  if (source?.$case === 'stream' && source.value) return { kind: 'stream', pieces: chunksOf(rest), signal };
  throw errors.badRequest({ field: 'source', problem: 'must be a path, or stream set to true' });
}

async function* chunksOf(frames: AsyncIterator<ApplyLayerRequest>): AsyncGenerator<Uint8Array, void, undefined> {
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    const { frame } = next.value;
    if (frame?.$case !== 'chunk')
      throw errors.badRequest({ field: 'frame', problem: 'must be a chunk after the header' });
    yield frame.value;
  }
}

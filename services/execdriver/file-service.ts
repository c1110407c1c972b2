import type { IdMaps } from '../../proto/gen/longshore/contract/v1/id_maps.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type {
  FileServiceImplementation,
  FileStat,
  FilesView,
  WriteFilesRequest,
} from '../../proto/gen/longshore/execdriver/v1/files.ts';
import { errors } from './errors.ts';
import type { FileFacts } from './files/job.ts';
import type { FilesRequest, FilesThreads } from './files/threads.ts';

/** FileService on threads, each with a view of its own. */
export function fileService({
  threads,
  needInit,
  idMaps,
}: {
  threads: FilesThreads;
  needInit: () => unknown;
  idMaps: () => IdMaps | undefined;
}): FileServiceImplementation {
  const viewOf = (view: FilesView | undefined) => ({
    ...checkedView(view),
    idMaps: view?.mappedIds ? idMaps() : undefined,
  });
  return {
    async statFile({ view, path }, { signal }) {
      needInit();
      for await (const message of threads.run({ ...viewOf(view), job: { kind: 'stat', path }, signal })) {
        if (message.type === 'file') return { file: statOf(message.file) };
      }
      throw errors.fileAccessFailed({ path, detail: 'nothing was found out' });
    },

    async *readFiles({ view, path, contents }, { signal }) {
      needInit();
      for await (const message of threads.run({
        ...viewOf(view),
        job: { kind: 'read', path, isBare: contents },
        signal,
      })) {
        if (message.type === 'file') yield { frame: { $case: 'file', value: statOf(message.file) } };
        else yield { frame: { $case: 'chunk', value: bufferOf(message.bytes) } };
      }
    },

    async writeFiles(frames, { signal }) {
      needInit();
      const rest = frames[Symbol.asyncIterator]();
      const first = (await rest.next()).value?.frame;
      if (first?.$case !== 'header') throw errors.badFrame({ detail: 'the first frame of a write is its header' });
      const { view, path, keepKinds, owner } = first.value;
      const job = { kind: 'write', path, keepKinds, owner } as const;
      for await (const _ of threads.run({ ...viewOf(view), job, archive: chunksOf(rest), signal })) {
        // A write says nothing until it is done.
      }
      return { outcome: Outcome.OUTCOME_DONE };
    },
  };
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

async function* chunksOf(frames: AsyncIterator<WriteFilesRequest>): AsyncGenerator<Uint8Array, void> {
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    const { frame } = next.value;
    if (frame?.$case !== 'chunk') throw errors.badFrame({ detail: 'after the header of a write come chunks' });
    yield frame.value;
  }
}

const depth = (path: string) => path.split('/').filter((part) => part !== '').length;

function checkedView(view: FilesView | undefined): Pick<FilesRequest, 'container' | 'view'> {
  if (view === undefined) throw badView('view', 'it is missing');
  const absolute = (field: string, path: string) => {
    if (!path.startsWith('/') || path.includes('\0'))
      throw badView(field, `${JSON.stringify(path)} is no absolute path`);
    return path;
  };
  const mounts = view.mounts.map(({ source, destination, readOnly }) => ({
    source: absolute('mounts.source', source),
    destination: absolute('mounts.destination', destination),
    readOnly,
  }));
  // What lies in another's place comes after it.
  mounts.sort((one, other) => depth(one.destination) - depth(other.destination));
  const root = absolute('root_path', view.rootPath);
  return { container: view.container, view: { root, readOnlyRoot: view.readOnlyRoot, mounts } };
}

function badView(field: string, detail: string) {
  return errors.badView({ field, detail: `${field}: ${detail}` });
}

function statOf(file: FileFacts): FileStat {
  return { ...file };
}

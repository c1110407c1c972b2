import { basename, join } from 'node:path/posix';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type {
  FileServiceImplementation,
  FileStat,
  FilesView,
  WriteFilesHeader,
} from '../../proto/gen/longshore/execdriver/v1/files.ts';
import { ArchiveProblem, entriesOf, inflated } from '../archive/tar-reader.ts';
import { tarOf } from '../archive/tar-writer.ts';
import { nowNs } from '../events.ts';
import { errors } from './errors.ts';
import { cleanPath, type FileMemory, filesOf, type StoredFile } from './files.ts';

const directoryMode = 0o040755;
const fileMode = 0o100644;

/** Files and directories; a view's mounts only say where nothing can be written. */
export function fileService(memory: FileMemory, needInit: () => unknown): FileServiceImplementation {
  const openedView = (view: FilesView | undefined): FilesView & { files: Map<string, StoredFile> } => {
    needInit();
    const places =
      view === undefined ? [''] : [view.rootPath, ...view.mounts.flatMap((m) => [m.source, m.destination])];
    if (view === undefined || places.some((place) => !place.startsWith('/'))) throw errors.badView();
    return { ...view, files: filesOf(memory, view.rootPath) };
  };
  const found = (view: FilesView | undefined, path: string) => {
    const { files, container } = openedView(view);
    const at = cleanPath(path);
    const file = files.get(at);
    if (file === undefined) throw errors.fileNotFound({ path, container });
    return { files, at, file };
  };

  return {
    async statFile({ view, path }) {
      const { at, file } = found(view, path);
      return { file: statOf(nameOf(path, at), file) };
    },

    async *readFiles({ view, path, contents }) {
      const { files, at, file } = found(view, path);
      const name = nameOf(path, at);
      yield { frame: { $case: 'file', value: statOf(name, file) } };
      const isBare = contents && file.content === undefined;
      const below = [...files].filter(([each]) => each === at || each.startsWith(at === '/' ? '/' : `${at}/`));
      const entries = below.flatMap(([each, { content }]) => {
        const rest = each.slice(at === '/' ? 1 : at.length + 1);
        if (isBare && rest === '') return [];
        const written = isBare ? rest : join(name, rest);
        return [content === undefined ? { name: `${written.replace(/\/$/, '')}/` } : { name: written, body: content }];
      });
      yield { frame: { $case: 'chunk', value: tarOf(entries) } };
    },

    async writeFiles(frames) {
      let header: WriteFilesHeader | undefined;
      const chunks: Buffer[] = [];
      for await (const { frame } of frames) {
        if (header === undefined && frame?.$case === 'header') header = frame.value;
        else if (header !== undefined && frame?.$case === 'chunk') chunks.push(frame.value);
        else throw errors.badFrame({ problem: 'the first frame is the header, chunks follow' });
      }
      const { view, path = '', keepKinds = false } = header ?? {};
      const { files, at, file } = found(view, path);
      if (file.content !== undefined) throw errors.notADirectory();
      const mount = view?.mounts.find(({ destination }) => at === destination || at.startsWith(`${destination}/`));
      if (mount?.readOnly ?? view?.readOnlyRoot) throw errors.readOnlyFiles({ isRoot: mount === undefined });
      unpack(files, at, Buffer.concat(chunks), keepKinds);
      return { outcome: Outcome.OUTCOME_DONE };
    },
  };
}

function unpack(files: Map<string, StoredFile>, place: string, archive: Buffer, keepKinds: boolean): void {
  try {
    for (const { name, type, body } of entriesOf(inflated(archive))) {
      const at = join(place, name);
      const content = type === '5' ? undefined : Buffer.from(body);
      const before = files.get(at);
      const isOther = before !== undefined && (before.content === undefined) !== (content === undefined);
      if (isOther && keepKinds) throw new ArchiveProblem(name, 'is of another kind than what is there');
      if (before?.content === undefined && content !== undefined) {
        for (const each of files.keys()) if (each.startsWith(`${at}/`)) files.delete(each);
      }
      files.set(at, { content, modifiedAtNs: nowNs() });
    }
  } catch (error) {
    if (error instanceof ArchiveProblem) throw errors.badArchive({ entry: error.entry, problem: error.message });
    throw error;
  }
}

function nameOf(path: string, at: string): string {
  return /(^|\/)\.$/.test(path) ? '.' : basename(at) || '/';
}

function statOf(name: string, { content, modifiedAtNs }: StoredFile): FileStat {
  const mode = content === undefined ? directoryMode : fileMode;
  return { name, size: content?.length ?? 0, mode, modifiedAtNs, linkTarget: '' };
}

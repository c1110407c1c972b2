import { isServiceError } from '../../kit/errors.ts';
import { FilesPurpose, type OpenFilesResponse } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { FileStat, FilesView, WriteFilesRequest } from '../../proto/gen/longshore/execdriver/v1/files.ts';
import type { Peers } from '../peers.ts';
import { BadRequest } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { framesOf } from './image-archives.ts';
import type { Routes } from './router.ts';
import { rfc3339 } from './times.ts';

/** The files of a container: `docker cp` and `docker export`. */
export function fileRoutes(peers: Peers): Routes {
  const { files } = peers;
  return {
    'HEAD /containers/{id:*}/archive': (exchange) =>
      withFiles(exchange, peers, FilesPurpose.FILES_PURPOSE_UNSPECIFIED, async ({ view }, signal) => {
        const { file } = await files.statFile({ view, path: pathIn(exchange) }, { signal });
        exchange.text(statHeader(file), '');
      }),

    'GET /containers/{id:*}/archive': (exchange) =>
      withFiles(exchange, peers, FilesPurpose.FILES_PURPOSE_READ, async ({ view }, signal) => {
        for await (const { frame } of files.readFiles({ view, path: pathIn(exchange) }, { signal })) {
          if (frame?.$case === 'file') exchange.stream('application/x-tar', statHeader(frame.value));
          if (frame?.$case === 'chunk') await exchange.write(frame.value);
        }
        exchange.end();
      }),

    'PUT /containers/{id:*}/archive': (exchange) =>
      withFiles(exchange, peers, FilesPurpose.FILES_PURPOSE_WRITE, async ({ view, user }, signal) => {
        const { query, request } = exchange;
        const header = {
          view,
          path: pathIn(exchange),
          keepKinds: query.truth('noOverwriteDirNonDir'),
          owner: query.truth('copyUIDGID') ? user : '',
        };
        async function* frames(): AsyncGenerator<WriteFilesRequest> {
          yield { frame: { $case: 'header', value: header } };
          for await (const chunk of framesOf(request)) yield { frame: { $case: 'chunk', value: chunk } };
        }
        await files.writeFiles(frames(), { signal, deadlineMs: Number.POSITIVE_INFINITY });
        exchange.text({ 'Content-Length': 0 }, '');
      }),

    'GET /containers/{id:*}/export': (exchange) =>
      withFiles(exchange, peers, FilesPurpose.FILES_PURPOSE_EXPORT, async ({ view }, signal) => {
        for await (const { frame } of files.readFiles({ view, path: '/', contents: true }, { signal })) {
          exchange.stream('application/octet-stream');
          if (frame?.$case === 'chunk') await exchange.write(frame.value);
        }
        exchange.end();
      }),
  };
}

interface Opened {
  view: FilesView;
  user: string;
}

/** Has the daemon hold the files while `use` goes to their owner. */
async function withFiles(
  exchange: Exchange,
  { containers }: Peers,
  purpose: FilesPurpose,
  use: (opened: Opened, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const container = exchange.path.id ?? '';
  if (purpose !== FilesPurpose.FILES_PURPOSE_EXPORT) pathIn(exchange);
  const done = new AbortController();
  const lost = new AbortController();
  const held = AbortSignal.any([exchange.signal, done.signal]);
  const messages = containers.openFiles({ container, purpose }, { signal: held })[Symbol.asyncIterator]();
  const first = await messages.next();
  if (first.done === true) throw new Error('the daemon opened the files of a container and did not say where');
  // A daemon that dies is no reason to stop: what is open goes on, whoever held it.
  const ended = messages.next().catch((error: unknown) => {
    if (isServiceError(error, 'REMOVAL_IN_PROGRESS')) lost.abort(error);
  });
  try {
    await use(openedOf(container, first.value), AbortSignal.any([exchange.signal, lost.signal]));
  } catch (error) {
    throw lost.signal.aborted ? lost.signal.reason : error;
  } finally {
    done.abort();
    await ended;
  }
}

function openedOf(container: string, { rootPath, readOnlyRoot, mounts, user, mappedIds }: OpenFilesResponse): Opened {
  return { view: { container, rootPath, readOnlyRoot, mounts, mappedIds }, user };
}

function pathIn({ query }: Exchange): string {
  const path = query.text('path') ?? '';
  if (path === '') throw new BadRequest('bad parameter: path cannot be empty');
  return path;
}

function statHeader(file: FileStat | undefined): { 'X-Docker-Container-Path-Stat': string } {
  if (file === undefined) throw new Error('the exec driver found a file and did not say what it is');
  const { name, size, mode, modifiedAtNs, linkTarget } = file;
  const stat = {
    name,
    size,
    mode: goMode(mode),
    mtime: modifiedAtNs === 0n ? epoch : rfc3339(modifiedAtNs),
    linkTarget,
  };
  return { 'X-Docker-Container-Path-Stat': Buffer.from(JSON.stringify(stat)).toString('base64') };
}

/** Of a file, unlike of what the engine records, no time is none. */
const epoch = '1970-01-01T00:00:00Z';

/** Types as stat(2) has them, and the bits of Go's io/fs.FileMode. */
const types = new Map([
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o020000, 2 ** 26 + 2 ** 21],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
]);

function goMode(mode: number): number {
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return (types.get(mode & 0o170000) ?? 0) + special + (mode & 0o777);
}

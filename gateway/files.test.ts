import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors } from '../kit/errors.ts';
import type { OpenFilesRequest } from '../proto/gen/longshore/daemon/v1/container.ts';
import { FilesPurpose } from '../proto/gen/longshore/daemon/v1/container.ts';
import type { WriteFilesHeader } from '../proto/gen/longshore/execdriver/v1/files.ts';
import { id } from './testing/daemon.ts';
import { errors, type Owners, startEngine } from './testing/engine.ts';
import { ask, begin } from './testing/http.ts';

const refusals = defineErrors('test', {
  fileNotFound: {
    code: 'NOT_FOUND',
    message: (m: { path: string }) => `Could not find the file ${m.path} in container web`,
  },
  readOnlyFiles: { code: 'PERMISSION_DENIED', message: () => 'container rootfs is marked read-only' },
  removalInProgress: { code: 'FAILED_PRECONDITION', message: () => 'container is marked for removal' },
});

const opened = {
  containerId: id,
  rootPath: '/merged',
  readOnlyRoot: false,
  mounts: [{ source: '/volumes/data', destination: '/data', readOnly: true }],
  user: 'dock',
  mappedIds: true,
};
const view = { container: 'web', rootPath: '/merged', readOnlyRoot: false, mounts: opened.mounts, mappedIds: true };

/** A daemon that holds files; what it was asked and who has let go. */
function holding(): {
  containers: NonNullable<Owners['containers']>;
  asked: OpenFilesRequest[];
  released: () => number;
} {
  const asked: OpenFilesRequest[] = [];
  let released = 0;
  return {
    asked,
    released: () => released,
    containers: {
      async *openFiles(request, { signal }) {
        if (request.container === 'nobody') throw errors.containerNotFound({ container: 'nobody' });
        asked.push(request);
        try {
          yield opened;
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        } finally {
          released += 1;
        }
      },
    },
  };
}

const directory = { name: 'etc', size: 4096, mode: 0o041777, modifiedAtNs: 0n, linkTarget: '' };
const statOf = (headers: { [name: string]: string | string[] | undefined }) =>
  JSON.parse(Buffer.from(String(headers['x-docker-container-path-stat']), 'base64').toString());

async function settled(is: () => boolean): Promise<void> {
  const end = Date.now() + 5000;
  while (!is() && Date.now() < end) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(is());
}

test('HEAD says in a header what is there, with Go’s bits for its type', async (t) => {
  const { containers, asked, released } = holding();
  const link = { name: 'link', size: 3, mode: 0o120777, modifiedAtNs: 1_700_000_000_000_000_001n, linkTarget: '/etc' };
  const { socket } = await startEngine(t, {
    containers,
    files: { statFile: async ({ path }) => ({ file: path === '/link' ? link : directory }) },
  });
  const { status, headers, text } = await ask(socket, 'HEAD /containers/web/archive?path=/link');
  assert.deepEqual([status, text], [200, '']);
  const mode = 2 ** 27 + 0o777;
  const mtime = '2023-11-14T22:13:20.000000001Z';
  assert.deepEqual(statOf(headers), { name: 'link', size: 3, mode, mtime, linkTarget: '/etc' });
  const sticky = statOf((await ask(socket, 'HEAD /containers/web/archive?path=/etc')).headers);
  assert.deepEqual([sticky.mode, sticky.mtime], [2 ** 31 + 2 ** 20 + 0o777, '1970-01-01T00:00:00Z']);
  assert.deepEqual(asked[0], { container: 'web', purpose: FilesPurpose.FILES_PURPOSE_UNSPECIFIED });
  await settled(() => released() === 2);
});

test('GET streams the archive behind the same header; an export has neither header nor mounts of its own', async (t) => {
  const { containers, asked } = holding();
  const wanted: object[] = [];
  const { socket } = await startEngine(t, {
    containers,
    files: {
      async *readFiles(request) {
        wanted.push(request);
        yield { frame: { $case: 'file', value: directory } };
        yield { frame: { $case: 'chunk', value: Buffer.from('one ') } };
        yield { frame: { $case: 'chunk', value: Buffer.from('two') } };
      },
    },
  });
  const got = await ask(socket, 'GET /containers/web/archive?path=/etc');
  assert.deepEqual([got.status, got.text, got.headers['content-type']], [200, 'one two', 'application/x-tar']);
  assert.equal(statOf(got.headers).name, 'etc');
  const exported = await ask(socket, 'GET /containers/web/export');
  assert.deepEqual([exported.status, exported.text], [200, 'one two']);
  assert.equal(exported.headers['x-docker-container-path-stat'], undefined);
  assert.deepEqual(wanted, [
    { view, path: '/etc', contents: false },
    { view, path: '/', contents: true },
  ]);
  assert.deepEqual(
    asked.map(({ purpose }) => purpose),
    [FilesPurpose.FILES_PURPOSE_READ, FilesPurpose.FILES_PURPOSE_EXPORT],
  );
});

test('PUT hands the body on, and the user only with copyUIDGID', async (t) => {
  const { containers, released } = holding();
  const headers: (WriteFilesHeader | undefined)[] = [];
  let body = '';
  const { socket } = await startEngine(t, {
    containers,
    files: {
      async writeFiles(frames) {
        for await (const { frame } of frames) {
          if (frame?.$case === 'header') headers.push(frame.value);
          if (frame?.$case === 'chunk') body += frame.value.toString();
        }
        return { outcome: 1 };
      },
    },
  });
  const put = (query: string) => ask(socket, `PUT /containers/web/archive?path=/data${query}`, 'bytes');
  assert.equal((await put('')).status, 200);
  assert.equal((await put('&noOverwriteDirNonDir=true&copyUIDGID=true')).status, 200);
  assert.equal(body, 'bytesbytes');
  assert.deepEqual(headers, [
    { view, path: '/data', keepKinds: false, owner: '' },
    { view, path: '/data', keepKinds: true, owner: 'dock' },
  ]);
  await settled(() => released() === 2);
});

test('refusals have Docker’s statuses and words, and let go of the files', async (t) => {
  const { containers, released, asked } = holding();
  const { socket } = await startEngine(t, {
    containers,
    files: {
      async *readFiles({ path }) {
        yield* [];
        throw refusals.fileNotFound({ path });
      },
      async writeFiles() {
        throw refusals.readOnlyFiles();
      },
    },
  });
  const told = async (what: string, body?: string) => {
    const { status, text } = await ask(socket, what, body);
    return [status, text === '' ? '' : JSON.parse(text).message];
  };
  const missing = [404, 'Could not find the file /x in container web'];
  assert.deepEqual(await told('GET /containers/web/archive?path=/x'), missing);
  const readOnly = [403, 'container rootfs is marked read-only'];
  assert.deepEqual(await told('PUT /containers/web/archive?path=/x', 'body'), readOnly);
  assert.deepEqual(await told('GET /containers/nobody/archive?path=/x'), [404, 'No such container: nobody']);
  assert.deepEqual(await told('GET /containers/web/archive'), [400, 'bad parameter: path cannot be empty']);
  await settled(() => released() === asked.length);
});

test('a client that goes away, and a container that does, end the copy', async (t) => {
  let isRemoved = false;
  let ended = 0;
  const removed = Promise.withResolvers<void>();
  const { socket } = await startEngine(t, {
    containers: {
      async *openFiles(_, { signal }) {
        yield opened;
        await Promise.race([removed.promise, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
        if (isRemoved) throw refusals.removalInProgress();
      },
    },
    files: {
      async *readFiles(_, { signal }) {
        yield { frame: { $case: 'file', value: directory } };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        ended += 1;
      },
    },
  });
  const leaving = await begin(socket, 'GET /containers/web/archive?path=/etc');
  leaving.destroy();
  await settled(() => ended === 1);
  const staying = await begin(socket, 'GET /containers/web/archive?path=/etc');
  isRemoved = true;
  removed.resolve();
  await assert.rejects(async () => {
    for await (const _ of staying);
  }, /aborted/);
  await settled(() => ended === 2);
});

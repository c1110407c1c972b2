import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Image, type ImportImageHeader, type RemoveImageRequest } from '../proto/gen/longshore/graph/v1/image.ts';
import { container, id } from './testing/daemon.ts';
import { docker } from './testing/docker.ts';
import { errors, type Owners, startEngine } from './testing/engine.ts';
import { ask, askJson } from './testing/http.ts';
import { untilStill } from './testing/still.ts';

const digest = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const diffIds = [digest('a'), digest('b')];

function image(parts: Partial<Image> = {}): Image {
  return Image.fromPartial({
    id: digest('image'),
    tags: ['registry:5000/team/app:1'],
    config: { cmd: ['sh'], env: ['A=b'], labels: { a: 'b' }, exposedPorts: ['80/tcp'] },
    architecture: 'amd64',
    os: 'linux',
    created: '2023-11-14T22:13:20.5Z',
    size: 1234,
    diffIds,
    history: [
      { created: '2023-11-14T22:13:19Z', createdBy: 'ADD rootfs' },
      { created: '2023-11-14T22:13:19Z', createdBy: 'ENV A=b', emptyLayer: true },
      { created: '2023-11-14T22:13:20Z', createdBy: 'COPY app' },
    ],
    ...parts,
  });
}

const oneImage: Owners = {
  images: {
    async getImage({ reference }) {
      if (reference !== 'registry:5000/team/app:1') throw errors.imageNotFound({ reference });
      return { image: image() };
    },
    async *listImages() {
      yield { image: image({ id: digest('old'), created: '2020-01-01T00:00:00Z', tags: [] }) };
      yield { image: image() };
    },
  },
  system: { getInfo: async () => ({ storageDriver: 'overlay2' }) },
};

test('images are listed newest first, in the shape of the client’s version', async (t) => {
  const { socket } = await startEngine(t, oneImage);
  const { value: rows } = await askJson(socket, 'GET /images/json');
  assert.deepEqual(rows[0], {
    Containers: -1,
    Created: 1_700_000_000,
    Id: digest('image'),
    Labels: { a: 'b' },
    ParentId: '',
    RepoDigests: [],
    RepoTags: ['registry:5000/team/app:1'],
    SharedSize: -1,
    Size: 1234,
  });
  assert.deepEqual(rows[1].RepoTags, []);
  const { value: older } = await askJson(socket, 'GET /v1.41/images/json');
  assert.deepEqual([older[1].RepoTags, older[1].VirtualSize], [['<none>:<none>'], 1234]);
  const since = encodeURIComponent('{"before":["registry:5000/team/app:1"]}');
  const { value: before } = await askJson(socket, `GET /images/json?filters=${since}`);
  assert.deepEqual(
    before.map((each: { Id: string }) => each.Id),
    [digest('old')],
  );
});

test('an image is found by a name with slashes and a port, and inspected with its layers', async (t) => {
  const { socket } = await startEngine(t, oneImage);
  const { status, value } = await askJson(socket, 'GET /images/registry:5000/team/app:1/json');
  assert.equal(status, 200);
  assert.equal(value.Id, digest('image'));
  assert.deepEqual(value.RootFS, { Type: 'layers', Layers: diffIds });
  assert.deepEqual(value.Config.Cmd, ['sh']);
  assert.deepEqual(value.GraphDriver, { Data: null, Name: 'overlay2' });
  assert.equal(value.ContainerConfig, undefined);
  const { value: older } = await askJson(socket, 'GET /v1.38/images/registry:5000/team/app:1/json');
  assert.deepEqual(older.ContainerConfig.Cmd, ['sh']);
  assert.deepEqual(await askJson(socket, 'GET /images/none/json'), {
    status: 404,
    value: { message: 'No such image: none' },
  });
  const arm = encodeURIComponent('{"os":"linux","architecture":"arm64"}');
  assert.equal((await ask(socket, `GET /images/registry:5000/team/app:1/json?platform=${arm}`)).status, 404);
});

test('history gives each layer its own size, by its chain id', async (t) => {
  const chain = [diffIds[0]?.slice(7), digest(`${diffIds[0]} ${diffIds[1]}`).slice(7)];
  const { socket } = await startEngine(t, {
    ...oneImage,
    layers: { getLayer: async (request) => ({ layer: { size: 10 + chain.indexOf(request.id) } }) },
  });
  const { value } = await askJson(socket, 'GET /images/registry:5000/team/app:1/history');
  assert.deepEqual(
    value.map((row: { Id: string; Size: number; CreatedBy: string }) => [row.CreatedBy, row.Size, row.Id]),
    [
      ['COPY app', 11, digest('image')],
      ['ENV A=b', 0, '<missing>'],
      ['ADD rootfs', 10, '<missing>'],
    ],
  );
});

test('load sends the archive up in large frames, whole, and progress down', async (t) => {
  const archive = Buffer.alloc(5 * 1024 * 1024 + 7, 'tar');
  const hash = createHash('sha256');
  let largest = 0;
  const { socket } = await startEngine(t, {
    images: {
      async *loadImages(requests) {
        for await (const { chunk } of requests) {
          largest = Math.max(largest, chunk.length);
          hash.update(chunk);
        }
        yield {
          event: { $case: 'progress', value: { layer: 'abc', status: 'Loading layer', current: 1, total: 2 } },
        };
        const takenFrom = { 'app:1': digest('old') };
        yield { event: { $case: 'loaded', value: { id: digest('new'), tags: ['app:1'], takenFrom } } };
        yield { event: { $case: 'loaded', value: { id: digest('bare'), tags: [] } } };
      },
    },
  });
  const { status, headers, text } = await ask(socket, 'POST /images/load', archive);
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json');
  assert.deepEqual(
    text
      .trim()
      .split('\r\n')
      .map((line) => JSON.parse(line)),
    [
      { status: 'Loading layer', progressDetail: { current: 1, total: 2 }, id: 'abc' },
      { stream: `The image app:1 already exists, renaming the old one with ID ${digest('old')} to empty string\n` },
      { stream: 'Loaded image: app:1\n' },
      { stream: `Loaded image ID: ${digest('bare')}\n` },
    ],
  );
  assert.equal(hash.digest('hex'), createHash('sha256').update(archive).digest('hex'));
  assert.equal(largest, 256 * 1024);
});

test('a load that fails is 400 before its first line and an error line after it', async (t) => {
  let begun = false;
  const { socket } = await startEngine(t, {
    images: {
      async *loadImages() {
        if (begun) yield { event: { $case: 'progress', value: { status: 'Loading layer' } } };
        throw errors.badArchive();
      },
    },
  });
  assert.deepEqual(await askJson(socket, 'POST /images/load', 'no tar'), {
    status: 400,
    value: { message: 'manifest.json: there is none' },
  });
  begun = true;
  const { status, text } = await ask(socket, 'POST /images/load', 'no tar');
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(text.trim().split('\r\n').at(-1) ?? ''), {
    errorDetail: { message: 'manifest.json: there is none' },
    error: 'manifest.json: there is none',
  });
});

test('a store that is slow holds up the upload', async (t) => {
  const enough = Promise.withResolvers<void>();
  const { socket } = await startEngine(t, {
    images: {
      async *loadImages(requests) {
        await enough.promise;
        let size = 0;
        for await (const { chunk } of requests) size += chunk.length;
        yield { event: { $case: 'loaded', value: { id: String(size), tags: [] } } };
      },
    },
  });
  const piece = Buffer.alloc(1024 * 1024);
  let sent = 0;
  function* archive() {
    for (; sent < 64; sent++) yield piece;
  }
  const upload = request({ socketPath: socket, method: 'POST', path: '/images/load' });
  const answered = once(upload, 'response') as Promise<[IncomingMessage]>;
  Readable.from(archive()).pipe(upload);
  await untilStill(() => sent);
  assert.ok(sent < 32, `${sent} MiB were taken for a store that takes nothing`);
  enough.resolve();
  const [response] = await answered;
  assert.match(String((await response.toArray())[0]), /Loaded image ID: 67108864/);
});

test('import hands on name, message and changes; an image that is not here cannot be pulled', async (t) => {
  let header: ImportImageHeader | undefined;
  let body = '';
  const { socket } = await startEngine(t, {
    images: {
      async *importImage(requests) {
        for await (const { frame } of requests) {
          if (frame?.$case === 'header') header = frame.value;
          if (frame?.$case === 'chunk') body += String(frame.value);
        }
        yield { event: { $case: 'imageId', value: digest('imported') } };
      },
    },
  });
  const query = 'fromSrc=-&repo=app%3A2&message=hi&changes=CMD+sh&changes=ENV+A%3Db&platform=linux%2Famd64';
  const { status, text } = await ask(socket, `POST /images/create?${query}`, 'tar');
  assert.equal(status, 200);
  assert.equal(text, `{"status":"${digest('imported')}"}\r\n`);
  assert.equal(body, 'tar');
  assert.deepEqual(header && { ...header }, {
    repository: 'app:2',
    tag: '',
    message: 'hi',
    changes: ['CMD sh', 'ENV A=b'],
    platform: 'linux/amd64',
  });
  const pull = await askJson(socket, 'POST /images/create?fromImage=alpine&tag=3');
  assert.equal(pull.status, 404);
  assert.match(pull.value.message, /image "alpine:3" is not here and this engine does not pull from registries yet/);
});

test('a removal says which containers run, and what went', async (t) => {
  let asked: RemoveImageRequest | undefined;
  const { socket } = await startEngine(t, {
    containers: {
      async *listContainers({ all }) {
        assert.equal(all, false);
        yield { container: container() };
      },
    },
    images: {
      async removeImage(request) {
        asked = request;
        return { outcome: 1, untagged: ['a/b:1'], deleted: [digest('image'), digest('layer')] };
      },
    },
  });
  const { status, value } = await askJson(socket, 'DELETE /images/a/b:1?force=1');
  assert.equal(status, 200);
  assert.deepEqual(value, [{ Untagged: 'a/b:1' }, { Deleted: digest('image') }, { Deleted: digest('layer') }]);
  assert.deepEqual(asked && { ...asked }, { reference: 'a/b:1', force: true, runningHolders: [id] });
});

test('docker load, import, images, tag and rmi work', async (t) => {
  const tagged: string[] = [];
  const directory = await mkdtemp(join(tmpdir(), 'longshore-archive-'));
  t.after(() => rm(directory, { recursive: true }));
  const archive = join(directory, 'app.tar');
  await writeFile(archive, Buffer.alloc(3 * 1024 * 1024));
  const { socket } = await startEngine(t, {
    ...oneImage,
    images: {
      ...oneImage.images,
      async *loadImages(requests) {
        let size = 0;
        for await (const { chunk } of requests) size += chunk.length;
        yield { event: { $case: 'loaded', value: { id: digest('new'), tags: [`app:${size}`] } } };
      },
      async *importImage(requests) {
        for await (const _ of requests);
        yield { event: { $case: 'imageId', value: digest('imported') } };
      },
      removeImage: async () => ({ outcome: 1, untagged: ['app:1'], deleted: [] }),
      tagImage: async ({ source, repository, tag }) => {
        tagged.push(source, repository, tag);
        return { outcome: 1 };
      },
    },
    containers: { async *listContainers() {} },
  });
  const loaded = await docker(socket, ['load', '-i', archive]);
  assert.deepEqual([loaded.code, loaded.stdout], [0, 'Loaded image: app:3145728\n'], loaded.stderr);
  const imported = await docker(socket, ['import', archive, 'app:2']);
  assert.equal(imported.stdout, `${digest('imported')}\n`, imported.stderr);
  const listed = await docker(socket, ['images', '--format', '{{.Repository}} {{.Tag}} {{.Size}}']);
  assert.equal(listed.stdout, 'registry:5000/team/app 1 1.23kB\n<none> <none> 1.23kB\n', listed.stderr);
  assert.equal((await docker(socket, ['rmi', 'app:1'])).stdout, 'Untagged: app:1\n');
  const named = await docker(socket, ['tag', 'app:1', 'team/app:2']);
  assert.deepEqual([named.code, tagged], [0, ['app:1', 'team/app', '2']], named.stderr);
  const pulled = await docker(socket, ['pull', 'alpine']);
  assert.notEqual(pulled.code, 0);
  assert.match(pulled.stderr, /image "alpine:latest" is not here and this engine does not pull from registries yet/);
});

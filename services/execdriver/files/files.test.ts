import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { archiveOf, type Member } from '../../../kit/archive/archive.fixture.ts';
import { createTarReader } from '../../../kit/archive/tar-reader.ts';
import { createXattrs } from '../../../kit/linux/xattr.ts';
import type { FilesJob } from './job.ts';
import { filesPath } from './path.ts';
import { type FilesRequest, type FilesThreads, type FilesThreadsOptions, openFilesThreads } from './threads.ts';

const root = { skip: process.getuid?.() === 0 ? false : 'needs root' };

interface Box {
  /** A container's root. */
  root: string;
  /** Beside it: what must never be reached. */
  outside: string;
  threads: FilesThreads;
  view: FilesRequest['view'];
}

function box(t: TestContext, options: Partial<FilesThreadsOptions> = {}): Box {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-files-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const made = { root: join(directory, 'root'), outside: join(directory, 'outside') };
  for (const path of [made.root, join(made.root, 'etc'), join(made.root, 'tmp'), made.outside]) mkdirSync(path);
  writeFileSync(join(made.root, 'etc/passwd'), 'dock:x:1000:1001::/:/bin/sh\n');
  writeFileSync(join(made.outside, 'secret'), 'secret');
  const threads = openFilesThreads({ workplace: join(directory, 'workplace'), ...options });
  return { ...made, threads, view: { root: made.root, readOnlyRoot: false, mounts: [] } };
}

const never = new AbortController().signal;

async function stat({ threads, view }: Box, path: string) {
  for await (const message of threads.run({ container: 'box', view, job: { kind: 'stat', path }, signal: never })) {
    if (message.type === 'file') return message.file;
  }
  return undefined;
}

/** Path → kind, target or content. */
async function read({ threads, view }: Box, path: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  let last = '';
  const reader = createTarReader({
    entry(entry) {
      last = entry.path;
      found[last] = entry.kind === 'file' ? '' : `${entry.kind} ${entry.linkTarget}`.trim();
    },
    content(piece) {
      found[last] += piece.toString();
    },
    contentEnd() {},
  });
  const job: FilesJob = { kind: 'read', path, isBare: false };
  for await (const message of threads.run({ container: 'box', view, job, signal: never })) {
    if (message.type === 'chunk') reader.write(Buffer.from(message.bytes));
  }
  reader.end();
  return found;
}

async function write({ threads, view }: Box, path: string, members: Member[], owner = ''): Promise<void> {
  async function* archive() {
    yield archiveOf(...members);
  }
  const job: FilesJob = { kind: 'write', path, keepKinds: true, owner };
  const running = threads.run({ container: 'box', view, job, archive: archive(), signal: never });
  for await (const _ of running);
}

test('a path is taken apart as Docker does', () => {
  assert.deepEqual(filesPath('/'), { path: '/', name: '/', isDirectory: true });
  assert.deepEqual(filesPath('etc//hosts'), { path: '/etc/hosts', name: 'hosts', isDirectory: false });
  assert.deepEqual(filesPath('/etc/'), { path: '/etc', name: 'etc', isDirectory: true });
  assert.deepEqual(filesPath('/etc/.'), { path: '/etc', name: '.', isDirectory: true });
  assert.deepEqual(filesPath('/../../etc/..hidden'), { path: '/etc/..hidden', name: '..hidden', isDirectory: false });
});

test('symlinks lead where they would lead inside the container', root, async (t) => {
  const made = box(t);
  const { root: at, outside } = made;
  symlinkSync('/etc', join(at, 'absolute'));
  symlinkSync('../../../../../../etc/passwd', join(at, 'tmp/up'));
  symlinkSync(outside, join(at, 'out'));
  symlinkSync('/nowhere/else', join(at, 'dangling'));
  symlinkSync('loop', join(at, 'loop'));
  assert.equal((await stat(made, '/absolute'))?.linkTarget, '/etc');
  assert.equal((await stat(made, '/absolute/passwd'))?.name, 'passwd');
  assert.equal((await stat(made, '/tmp/up'))?.linkTarget, '/etc/passwd');
  assert.equal((await stat(made, '/dangling'))?.linkTarget, '/nowhere/else');
  assert.deepEqual(await read(made, '/absolute'), { absolute: 'symlink /etc' });
  assert.deepEqual(Object.keys(await read(made, '/absolute/')), ['absolute/', 'absolute/passwd']);
  await assert.rejects(stat(made, '/out/secret'), { reason: 'FILE_NOT_FOUND' });
  await assert.rejects(read(made, '/out/'), { reason: 'FILE_NOT_FOUND' });
  await assert.rejects(stat(made, '/loop/'), { reason: 'FILE_ACCESS_FAILED' });
  await assert.rejects(stat(made, '/etc/passwd/x'), { reason: 'FILE_NOT_FOUND' });
});

test('what an archive brings stays inside, through whatever symlinks are there', root, async (t) => {
  const made = box(t);
  const { root: at, outside } = made;
  symlinkSync(outside, join(at, 'tmp/out'));
  symlinkSync('/etc', join(at, 'tmp/etc'));
  symlinkSync('../../etc', join(at, 'tmp/up'));
  await write(made, '/tmp', [
    { path: 'out/file', content: 'x' },
    { path: 'etc/one', content: '1' },
    { path: 'up/two', content: '2' },
  ]).then(
    () => assert.fail('a symlink that leads nowhere was followed'),
    (error: { reason: string }) => assert.equal(error.reason, 'BAD_ARCHIVE'),
  );
  await write(made, '/tmp', [
    { path: 'etc/one', content: '1' },
    { path: 'up/two', content: '2' },
    { path: 'evil', kind: 'symlink', linkTarget: outside },
  ]);
  assert.deepEqual(readdirSync(join(at, 'etc')).sort(), ['one', 'passwd', 'two']);
  await assert.rejects(write(made, '/tmp', [{ path: 'evil/file', content: 'x' }]), { reason: 'BAD_ARCHIVE' });
  await assert.rejects(write(made, '/tmp', [{ path: '../../x', content: 'x' }]), { reason: 'BAD_ARCHIVE' });
  assert.deepEqual(readdirSync(outside), ['secret']);
});

test('nothing gets out while a container swaps a directory for a symlink, again and again', root, async (t) => {
  const made = box(t);
  const { root: at, outside } = made;
  const script = 'while :; do mkdir -p d; : >d/secret; rm -rf d; ln -s "$1" d; rm -f d; done';
  const swapping = spawn('sh', ['-c', script, 'sh', outside], { cwd: join(at, 'tmp'), stdio: 'ignore' });
  try {
    for (let count = 0; count < 15; count++) {
      for (const path of ['/tmp', '/tmp/d/secret']) {
        const found = await read(made, path).catch(() => ({}));
        assert.ok(!Object.values(found).includes('secret'));
      }
      await write(made, '/tmp/d', [{ path: 'written', content: 'x' }]).catch(() => undefined);
      await write(made, '/tmp', [{ path: 'd/written', content: 'x' }]).catch(() => undefined);
    }
  } finally {
    swapping.kill('SIGKILL');
  }
  assert.deepEqual(readdirSync(outside), ['secret']);
  assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
});

test('mounts are seen at their places, read-only ones are, and places that were missing are made', root, async (t) => {
  const made = box(t);
  const { outside, root: at } = made;
  const [volume, inner] = [join(outside, 'volume'), join(outside, 'inner')];
  for (const path of [volume, inner]) mkdirSync(path);
  writeFileSync(join(inner, 'deep'), 'deep');
  writeFileSync(join(outside, 'hosts'), '127.0.0.1\n');
  made.view = {
    ...made.view,
    readOnlyRoot: true,
    mounts: [
      { source: volume, destination: '/data', readOnly: false },
      { source: inner, destination: '/data/in', readOnly: true },
      { source: join(outside, 'hosts'), destination: '/etc/hosts', readOnly: false },
      { source: join(outside, 'missing'), destination: '/nothing', readOnly: false },
    ],
  };
  assert.deepEqual(await read(made, '/data'), {
    'data/': 'directory',
    'data/in/': 'directory',
    'data/in/deep': 'deep',
  });
  assert.deepEqual(await read(made, '/etc/hosts'), { hosts: '127.0.0.1\n' });
  await write(made, '/data', [{ path: 'written', content: 'x' }]);
  assert.equal(readFileSync(join(volume, 'written'), 'utf8'), 'x');
  const file = [{ path: 'x', content: 'x' }];
  await assert.rejects(write(made, '/data/in', file), { message: 'mounted volume is marked read-only' });
  await assert.rejects(write(made, '/etc', file), { message: 'container rootfs is marked read-only' });
  assert.deepEqual(readdirSync(at).sort(), ['data', 'etc', 'tmp']);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  assert.ok(!mounts.includes(at) && !mounts.includes('workplace'));
});

test('owners, modes, hard links, capabilities and other attributes go both ways', root, async (t) => {
  const made = box(t);
  const at = join(made.root, 'tmp');
  writeFileSync(join(at, 'file'), 'content');
  chmodSync(join(at, 'file'), 0o2750);
  linkSync(join(at, 'file'), join(at, 'twin'));
  createXattrs().set(
    join(at, 'file'),
    'security.capability',
    Buffer.from('0100000200040000000000000000000000000000', 'hex'),
  );
  const job: FilesJob = { kind: 'read', path: '/tmp', isBare: false };
  const chunks: Uint8Array[] = [];
  for await (const message of made.threads.run({ container: 'box', view: made.view, job, signal: never })) {
    if (message.type === 'chunk') chunks.push(message.bytes);
  }
  rmSync(at, { recursive: true });
  const archive = chunks.values();
  const back: FilesJob = { kind: 'write', path: '/', keepKinds: false, owner: '' };
  const pieces = (async function* () {
    yield* archive;
  })();
  for await (const _ of made.threads.run({
    container: 'box',
    view: made.view,
    job: back,
    archive: pieces,
    signal: never,
  }));
  const stats = lstatSync(join(at, 'file'));
  assert.deepEqual([stats.mode & 0o7777, stats.nlink, stats.ino], [0o2750, 2, lstatSync(join(at, 'twin')).ino]);
  assert.equal(createXattrs().get(join(at, 'twin'), 'security.capability')?.length, 20);
  await write(made, '/tmp', [{ path: 'owned', content: 'x' }], 'dock');
  const owned = statSync(join(at, 'owned'));
  assert.deepEqual([owned.uid, owned.gid], [1000, 1001]);
  await assert.rejects(write(made, '/tmp', [{ path: 'x', content: 'x' }], 'nobody'), { reason: 'UNKNOWN_USER' });
});

test('a fifo in the way keeps nobody waiting', root, async (t) => {
  const made = box(t);
  execFileSync('mkfifo', [join(made.root, 'tmp/pipe')]);
  assert.deepEqual(await read(made, '/tmp/pipe'), { pipe: 'fifo' });
  await assert.rejects(write(made, '/tmp/pipe', [{ path: 'x', content: 'x' }]), { reason: 'NOT_A_DIRECTORY' });
});

test('a reader that leaves early leaves no thread and no descriptor', root, async (t) => {
  const made = box(t);
  writeFileSync(join(made.root, 'tmp/big'), Buffer.alloc(8 << 20));
  const descriptors = () => readdirSync('/proc/self/fd').length;
  await stat(made, '/tmp/big');
  const before = descriptors();
  const leaving = new AbortController();
  const job: FilesJob = { kind: 'read', path: '/tmp', isBare: false };
  const reading = made.threads.run({ container: 'box', view: made.view, job, signal: leaving.signal });
  for await (const message of reading) if (message.type === 'chunk') break;
  assert.equal(descriptors(), before);
  const cut = made.threads.run({ container: 'box', view: made.view, job, signal: leaving.signal });
  await cut.next();
  leaving.abort();
  await assert.rejects(
    async () => {
      for await (const _ of cut);
    },
    { name: 'AbortError' },
  );
  assert.equal(descriptors(), before);
});

test(
  'files that do not answer in time are said to be so; no more than a few calls for one container run at once',
  root,
  async (t) => {
    const made = box(t, { patienceMs: 1, perContainer: 1 });
    const both = await Promise.allSettled([stat(made, '/etc'), stat(made, '/etc')]);
    for (const result of both) {
      assert.equal(result.status, 'rejected');
      assert.equal(result.status === 'rejected' && result.reason.reason, 'FILES_UNRESPONSIVE');
    }
    assert.equal(existsSync(made.root), true);
  },
);

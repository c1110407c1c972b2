import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { archiveOf } from '../../../kit/archive/archive.fixture.ts';
import { BadArchive } from '../../../kit/archive/entry.ts';
import { defaultLimits } from '../../../kit/archive/limits.ts';
import type { UnpackRequest } from './jobs.ts';
import { Cancelled } from './run-job.ts';
import { createWorkerPool, type WorkerPoolOptions } from './worker-pool.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: owners of files are set';

function setUp(t: TestContext, options?: WorkerPoolOptions) {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-pool-'));
  const pool = createWorkerPool(options);
  t.after(async () => {
    await pool.stop();
    rmSync(directory, { recursive: true });
  });
  let made = 0;
  const unpackRequest = (): { root: string; request: UnpackRequest } => {
    const root = join(directory, `layer-${made++}`);
    mkdirSync(root);
    return {
      root,
      request: { target: { root, whiteouts: 'overlay', lowers: [] }, archive: 'input', limits: defaultLimits },
    };
  };
  return { pool, directory, unpackRequest };
}

async function* inPieces(archive: Buffer, size: number): AsyncGenerator<Buffer, void, undefined> {
  for (let offset = 0; offset < archive.length; offset += size) yield archive.subarray(offset, offset + size);
}

test('a pool without work has no threads, and loses those that were idle', async (t) => {
  const { pool, directory } = setUp(t, { idleMs: 1 });
  assert.equal(pool.size, 0);
  writeFileSync(join(directory, 'file'), 'x');
  await pool.run('delete', { path: join(directory, 'file') });
  assert.deepEqual(readdirSync(directory), []);
  while (pool.size > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('more jobs than threads wait for their turn', { skip }, async (t) => {
  const { pool, unpackRequest } = setUp(t, { threads: 2 });
  const archive = gzipSync(archiveOf({ path: 'file', content: 'content' }));
  const roots = await Promise.all(
    Array.from({ length: 7 }, async () => {
      const { root, request } = unpackRequest();
      await pool.run('unpack', request, { input: inPieces(archive, 50) });
      return root;
    }),
  );
  assert.equal(pool.size, 2);
  for (const root of roots) assert.equal(readFileSync(join(root, 'file'), 'utf8'), 'content');
});

test('a failed job says what the archive’s problem was, and the thread serves the next', { skip }, async (t) => {
  const { pool, unpackRequest } = setUp(t, { threads: 1 });
  const bad = inPieces(archiveOf({ path: '../out' }), 512);
  await assert.rejects(pool.run('unpack', unpackRequest().request, { input: bad }), (error: unknown) => {
    return error instanceof BadArchive && error.entry === '../out';
  });
  await pool.run('unpack', unpackRequest().request, { input: inPieces(archiveOf({ path: 'in' }), 512) });
  assert.equal(pool.size, 1);
});

test('an input that fails fails the job', { skip }, async (t) => {
  const { pool, unpackRequest } = setUp(t, { threads: 1 });
  async function* broken(): AsyncGenerator<Buffer, void, undefined> {
    yield archiveOf({ path: 'a' }).subarray(0, 600);
    throw new Error('the line is cut');
  }
  await assert.rejects(pool.run('unpack', unpackRequest().request, { input: broken() }), /the line is cut/);
});

test('a cancelled job ends, and the thread serves the next', { skip }, async (t) => {
  const { pool, unpackRequest } = setUp(t, { threads: 1 });
  const abort = new AbortController();
  async function* waiting(): AsyncGenerator<Buffer, void, undefined> {
    yield archiveOf({ path: 'a' }).subarray(0, 600);
    abort.abort();
    await once(new AbortController().signal, 'abort');
  }
  const job = pool.run('unpack', unpackRequest().request, { input: waiting(), signal: abort.signal });
  await assert.rejects(job, Cancelled);
  await pool.run('unpack', unpackRequest().request, { input: inPieces(archiveOf({ path: 'in' }), 512) });
});

test('a job that was given up before it began ends at once, and its thread serves the next', async (t) => {
  const { pool, directory } = setUp(t, { threads: 1 });
  const path = join(directory, 'file');
  writeFileSync(path, 'x');
  for (let round = 0; round < 2; round++) {
    await assert.rejects(pool.run('delete', { path }, { signal: AbortSignal.abort(new Cancelled()) }), Cancelled);
  }
  assert.deepEqual(readdirSync(directory), ['file']);
  await pool.run('delete', { path });
  assert.deepEqual(readdirSync(directory), []);
  assert.equal(pool.size, 1);
});

test('a job that comes while idle threads end gets one that lives', async (t) => {
  const { pool, directory } = setUp(t, { threads: 1, idleMs: 1 });
  const path = join(directory, 'file');
  for (let round = 0; round < 20; round++) {
    writeFileSync(path, 'x');
    await pool.run('delete', { path });
    // Timers that are due at the same time run one after the other: the thread's end has just been asked for here.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.deepEqual(readdirSync(directory), []);
});

test('a reader that leaves early ends the job', { skip }, async (t) => {
  const { pool, directory } = setUp(t, { threads: 1 });
  const tree = join(directory, 'tree');
  mkdirSync(tree);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(tree, name), Buffer.alloc(3_000_000));
  const source = { kind: 'trees', tree, parent: undefined, hidesMountPoints: false } as const;
  for await (const frame of pool.stream('pack', { source })) {
    assert.ok(frame.length <= 1024 * 1024);
    break;
  }
  assert.equal(await pool.run('measure', { source }), 9_000_000);
});

test('a copy has the files, links, owners and times of the original', { skip }, async (t) => {
  const { pool, directory, unpackRequest } = setUp(t);
  const { root, request } = unpackRequest();
  const archive = archiveOf(
    { path: './', kind: 'directory', mode: 0o700, uid: 1 },
    { path: 'dir/file', content: 'x', uid: 2, modified: { seconds: 5, nanoseconds: 6 } },
    { path: 'dir/link', kind: 'hardlink', linkTarget: 'dir/file' },
    { path: 'soft', kind: 'symlink', linkTarget: 'dir' },
  );
  await pool.run('unpack', request, { input: inPieces(archive, 4096) });
  const to = join(directory, 'copy');
  mkdirSync(to);
  await pool.run('copy', { from: root, to });
  const source = { kind: 'trees', tree: to, parent: root, hidesMountPoints: false } as const;
  for await (const changes of pool.stream('listChanges', { source })) assert.deepEqual(changes, []);
});

test('a pool that is stopped ends its jobs', { skip }, async (t) => {
  const { pool, unpackRequest } = setUp(t, { threads: 1 });
  const started = Promise.withResolvers<void>();
  async function* waiting(): AsyncGenerator<Buffer, void, undefined> {
    yield archiveOf({ path: 'a' }).subarray(0, 600);
    started.resolve();
    await once(new AbortController().signal, 'abort');
  }
  const running = assert.rejects(pool.run('unpack', unpackRequest().request, { input: waiting() }), {
    reason: 'STOPPING',
  });
  const queued = assert.rejects(pool.run('delete', { path: '/nowhere/at/all' }), { reason: 'STOPPING' });
  await started.promise;
  await pool.stop();
  await Promise.all([running, queued]);
});

test('a process that has only idle threads left sees its pool stop', async (t) => {
  const { directory } = setUp(t);
  const script = `
    const { createWorkerPool } = await import(${JSON.stringify(new URL('./worker-pool.ts', import.meta.url).href)});
    const pool = createWorkerPool();
    await pool.run('delete', { path: '/nowhere/at/all' });
    await pool.stop();
    console.log('stopped');`;
  const program = join(directory, 'program.mjs');
  writeFileSync(program, script);
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  assert.equal(stdout, 'stopped\n');
});

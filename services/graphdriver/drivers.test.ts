import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createBtrfs } from '../../kit/linux/btrfs.ts';
import { createMounts } from '../../kit/linux/mounts.ts';
import { openBtrfs } from './btrfs.ts';
import { type DriverUnderTest, layerId, testDriver } from './driver.suite.ts';
import type { LayerDriver } from './driver.ts';
import { openOverlay2 } from './overlay2.ts';
import { openVfs } from './vfs.ts';
import { createWorkerPool, type WorkerPool } from './work/worker-pool.ts';

const isRoot = process.getuid?.() === 0;
const skip = isRoot ? false : 'needs root: mounts and device nodes';
const mounts = createMounts();

function onFreshDirectory(parent: string, open: (directory: string, pool: WorkerPool) => LayerDriver): DriverUnderTest {
  const directory = mkdtempSync(join(parent, 'longshore-driver-'));
  const pool = createWorkerPool({ threads: 1 });
  const driver = open(directory, pool);
  return {
    driver,
    reopen: () => open(directory, pool),
    async close() {
      for (const layer of driver.list()) driver.remove(layer);
      await driver.sweep();
      await pool.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

testDriver(
  'overlay2',
  () => onFreshDirectory(tmpdir(), (directory, pool) => openOverlay2(directory, { mounts, pool })),
  skip,
);
testDriver('vfs', () => onFreshDirectory(tmpdir(), (directory, pool) => openVfs(directory, { mounts, pool })), skip);

test('overlay2 shows a layer again when the view before has ended, and not while the kernel still writes out', {
  skip,
}, async () => {
  const end = Promise.withResolvers<void>();
  const held = { ...mounts, detach: (target: string) => mounts.detach(target)?.then(() => end.promise) };
  const { driver, close } = onFreshDirectory(tmpdir(), (directory, pool) =>
    openOverlay2(directory, { mounts: held, pool }),
  );
  try {
    for (const name of ['box', 'other']) await driver.create(layerId(name), [], {});
    const view = await driver.mount(layerId('box'), { ancestors: [], isWritable: true });
    writeFileSync(join(view, 'file'), 'content');
    driver.unmount(layerId('box'));
    assert.deepEqual([...driver.mounted()], []);
    const again = driver.mount(layerId('box'), { ancestors: [], isWritable: true });
    await driver.mount(layerId('other'), { ancestors: [], isWritable: true });
    assert.deepEqual([...driver.mounted()], [layerId('other')]);
    end.resolve();
    assert.equal(await again, view);
    assert.equal(readFileSync(join(view, 'file'), 'utf8'), 'content');
  } finally {
    end.resolve();
    for (const layer of driver.mounted()) driver.unmount(layer);
    await close();
  }
});

test('overlay2 has the directories of the next writable layer ready, and can do without', { skip }, async () => {
  let home = '';
  const { driver, close } = onFreshDirectory(tmpdir(), (directory, pool) => {
    home = directory;
    // As a crash leaves it.
    mkdirSync(join(directory, 'spare', 'half'), { recursive: true });
    return openOverlay2(directory, { mounts, pool });
  });
  const spare = () => join(home, 'spare');
  const isReady = async () => {
    while (!existsSync(join(spare(), 'merged'))) await new Promise(setImmediate);
  };
  const namesIn = (layer: string) => readdirSync(join(home, layer)).sort();
  try {
    assert.equal(existsSync(spare()), false);
    await driver.create(layerId('first'), [], {});
    await isReady();
    const { ino } = statSync(spare());
    await driver.create(layerId('second'), [layerId('first')], {});
    assert.equal(statSync(join(home, layerId('second'))).ino, ino);
    await isReady();
    rmSync(spare(), { recursive: true });
    await driver.create(layerId('third'), [], {});
    for (const name of ['first', 'second', 'third'])
      assert.deepEqual(namesIn(layerId(name)), ['diff', 'merged', 'work']);
    assert.deepEqual([...driver.list()].sort(), ['first', 'second', 'third'].map(layerId).sort());
    // One that is there already is replaced, by the spare one too.
    await isReady();
    writeFileSync(join(home, layerId('first'), 'diff', 'file'), 'content');
    await driver.create(layerId('first'), [], {});
    assert.equal(existsSync(join(home, layerId('first'), 'diff', 'file')), false);
  } finally {
    await close();
  }
});

const disk = btrfsDisk();
const openBtrfsIn = (directory: string, pool: WorkerPool) => openBtrfs(directory, { btrfs: createBtrfs(), pool });
testDriver('btrfs', () => onFreshDirectory(disk.directory, openBtrfsIn), disk.problem);

/** libuv has no name for it. */
const EDQUOT = 122;

test('btrfs keeps a layer to its size', { skip: disk.problem }, async () => {
  const { driver, close } = onFreshDirectory(disk.directory, openBtrfsIn);
  try {
    for (const size of ['lots', '0', '-1G']) {
      await assert.rejects(driver.create(layerId('box'), [], { size }), { reason: 'BAD_OPTION' });
    }
    await driver.create(layerId('box'), [], { size: '4M' });
    const file = join(await driver.mount(layerId('box'), { ancestors: [], isWritable: true }), 'file');
    assert.throws(() => writeFileSync(file, Buffer.alloc(16 * 1024 * 1024), { flush: true }), { errno: -EDQUOT });
  } finally {
    await close();
  }
});

test('btrfs deletes a layer in which a container made subvolumes', { skip: disk.problem }, async () => {
  const { driver, close } = onFreshDirectory(disk.directory, openBtrfsIn);
  try {
    await driver.create(layerId('box'), [], {});
    const view = await driver.mount(layerId('box'), { ancestors: [], isWritable: true });
    createBtrfs().createSubvolume(view, 'inner');
    writeFileSync(join(view, 'inner/file'), 'x');
    driver.remove(layerId('box'));
    assert.equal(await driver.sweep(), 1);
    assert.equal(await driver.sweep(), 0);
  } finally {
    await close();
  }
});

/** A btrfs filesystem in a file, mounted until the tests are over; or why there is none. */
function btrfsDisk(): { directory: string; problem: string | false } {
  if (!isRoot) return { directory: '', problem: 'needs root: mounts a btrfs filesystem' };
  if (spawnSync('mkfs.btrfs', ['--version']).error !== undefined) {
    return { directory: '', problem: 'mkfs.btrfs is missing: apt-get install btrfs-progs' };
  }
  const home = mkdtempSync(join(tmpdir(), 'longshore-btrfs-'));
  const image = join(home, 'disk');
  const directory = join(home, 'mnt');
  writeFileSync(image, '');
  truncateSync(image, 256 * 1024 * 1024);
  mkdirSync(directory);
  execFileSync('mkfs.btrfs', ['-q', image]);
  const mounted = spawnSync('mount', ['-o', 'loop', image, directory], { encoding: 'utf8' });
  after(() => {
    mounts.unmount(directory);
    rmSync(home, { recursive: true });
  });
  return {
    directory,
    problem: mounted.status === 0 ? false : `btrfs cannot be mounted here: ${mounted.stderr.trim()}`,
  };
}

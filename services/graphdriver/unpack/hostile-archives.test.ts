import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { archiveOf, memberBytes } from '../../../kit/archive/archive.fixture.ts';
import { BadArchive, type EntryKind } from '../../../kit/archive/entry.ts';
import { createTarReader } from '../../../kit/archive/tar-reader.ts';
import { endBlocks } from '../../../kit/archive/tar-writer.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { createLayerUnpacker } from './unpacker.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: owners and device nodes are set';

/** Numbers that look random and are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const limits = {
  entries: 1000,
  fileBytes: 100_000,
  totalBytes: 1_000_000,
  headerBytes: 10_000,
  pathBytes: 4096,
  xattrs: 10,
};

/** Unpacks into a layer beside a directory that must not change; true when the archive was taken. */
function tryArchive(archive: Buffer, whiteouts: 'overlay' | 'in place'): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-hostile-'));
  try {
    const root = join(directory, 'layer');
    mkdirSync(root);
    mkdirSync(join(directory, 'outside'));
    writeFileSync(join(directory, 'outside/secret'), 'secret');
    try {
      using unpacker = createLayerUnpacker({ root, whiteouts, lowers: [] });
      const reader = createTarReader(unpacker, limits);
      reader.write(archive);
      reader.end();
      unpacker.finish();
      return true;
    } catch (error) {
      // What the kernel finds fault with (a name, a number, a loop) is the archive's problem too.
      const isRefusal = error instanceof BadArchive || hasCode(error, 'EINVAL', 'ENAMETOOLONG', 'EPERM', 'EISDIR');
      if (!isRefusal) throw error;
      return false;
    } finally {
      assert.deepEqual(readdirSync(directory).sort(), ['layer', 'outside']);
      assert.deepEqual(readdirSync(join(directory, 'outside')), ['secret']);
      assert.equal(readFileSync(join(directory, 'outside/secret'), 'utf8'), 'secret');
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('archives of random members write nothing outside', { skip }, () => {
  const pick = numbers(1);
  const one = <T>(choices: readonly T[]): T => choices[pick(choices.length)] ?? assert.fail();
  const names = ['a', 'b', 'outside', 'secret', '..', '.', '', '.wh.a', '.wh.b', '.wh..wh..opq', '.wh.secret'];
  const targets = ['..', '../outside', '../outside/secret', '/', '.', 'a', 'b/a', '../../../../tmp', 'outside'];
  const kinds: EntryKind[] = ['file', 'directory', 'directory', 'symlink', 'symlink', 'hardlink', 'fifo', 'char'];
  const path = () => Array.from({ length: 1 + pick(3) }, () => one(names)).join('/');
  let taken = 0;
  for (let round = 0; round < 300; round++) {
    const members = Array.from({ length: 1 + pick(8) }, () => {
      const kind = one(kinds);
      const linkTarget = kind === 'hardlink' && pick(2) === 0 ? path() : one(targets);
      return memberBytes({ path: path(), kind, linkTarget, content: kind === 'file' ? 'x' : '', major: 1, minor: 3 });
    });
    if (tryArchive(Buffer.concat([...members, endBlocks()]), one(['overlay', 'in place']))) taken += 1;
  }
  assert.ok(taken > 25, `only ${taken} were archives at all`);
});

test('archives with damaged bytes are taken or refused, never more', { skip }, () => {
  const pick = numbers(2);
  const whole = archiveOf(
    { path: 'etc', kind: 'directory' },
    { path: 'etc/file', content: 'x'.repeat(700), xattrs: { 'user.note': 'kept' } },
    { path: `${'long/'.repeat(40)}name`, content: 'y', modified: { seconds: 1, nanoseconds: 5 } },
    { path: 'link', kind: 'symlink', linkTarget: '../outside' },
    { path: 'hard', kind: 'hardlink', linkTarget: 'etc/file' },
    { path: 'null', kind: 'char', major: 1, minor: 3 },
  );
  for (let round = 0; round < 300; round++) {
    const archive = Buffer.from(whole);
    for (let change = 0; change <= pick(3); change++) archive[pick(archive.length)] = pick(256);
    // Most changes only break a checksum, so the changed header's is made right again.
    const header = 512 * pick(archive.length / 512);
    const block = archive.subarray(header, header + 512);
    block.write('        ', 148, 'latin1');
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1');
    tryArchive(archive.subarray(0, pick(4) === 0 ? pick(archive.length) : archive.length), 'overlay');
  }
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ArchiveEntry } from '../../../kit/archive/entry.ts';
import { createTarReader } from '../../../kit/archive/tar-reader.ts';
import { createMounts } from '../../../kit/linux/mounts.ts';
import { type DifferenceSource, differences } from './difference.ts';
import { measureDifference } from './measure.ts';
import { packDifference } from './pack.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: mounts an overlay';

/** A parent tree, and the same changes made to it in two ways: in an overlay, and in a copy. */
function changed(t: TestContext, change: (root: string) => void, isRuntime = false): Record<string, DifferenceSource> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-difference-'));
  const at = (name: string) => join(directory, name);
  for (const name of ['parent', 'upper', 'work', 'merged']) mkdirSync(at(name));
  for (const name of ['etc', 'usr/bin', 'usr/lib', 'empty']) mkdirSync(at(`parent/${name}`), { recursive: true });
  for (const name of ['etc/passwd', 'usr/bin/sh', 'usr/bin/ls', 'usr/lib/libc', 'usr-file']) {
    writeFileSync(at(`parent/${name}`), name);
  }
  symlinkSync('usr/bin', at('parent/bin'));
  execFileSync('cp', ['-a', at('parent'), at('copy')]);
  const mounts = createMounts();
  mounts.mountOverlay({ lower: [at('parent')], upper: at('upper'), work: at('work'), target: at('merged') });
  t.after(() => {
    mounts.unmount(at('merged'), { detach: true });
    rmSync(directory, { recursive: true });
  });
  change(at('merged'));
  change(at('copy'));
  return {
    overlay: { kind: 'overlay', upper: at('upper'), lowers: [at('parent')], hidesMountPoints: isRuntime },
    trees: { kind: 'trees', tree: at('copy'), parent: at('parent'), hidesMountPoints: isRuntime },
  };
}

function listed(source: DifferenceSource): string[] {
  const letters = { added: 'A', modified: 'C', deleted: 'D' };
  return Array.from(differences(source), ({ kind, path }) => `${letters[kind]} ${path}`);
}

const cases: { name: string; change: (root: string) => void; expected: string[]; isRuntime?: boolean }[] = [
  { name: 'nothing', change: () => {}, expected: [] },
  {
    name: 'files and directories that are new',
    change: (root) => {
      mkdirSync(join(root, 'etc/conf.d'));
      writeFileSync(join(root, 'etc/conf.d/a'), 'a');
      symlinkSync('nowhere', join(root, 'link'));
    },
    expected: ['C etc', 'A etc/conf.d', 'A etc/conf.d/a', 'A link'],
  },
  {
    name: 'content, permissions and owners that changed',
    change: (root) => {
      writeFileSync(join(root, 'etc/passwd'), 'changed');
      chmodSync(join(root, 'usr/bin/sh'), 0o700);
      chownSync(join(root, 'usr/lib'), 1, 2);
    },
    expected: ['C etc', 'C etc/passwd', 'C usr', 'C usr/bin', 'C usr/bin/sh', 'C usr/lib'],
  },
  {
    name: 'what is gone',
    change: (root) => {
      rmSync(join(root, 'usr'), { recursive: true });
      rmSync(join(root, 'bin'));
    },
    expected: ['D bin', 'D usr'],
  },
  {
    name: 'a directory that was removed and made again',
    change: (root) => {
      rmSync(join(root, 'usr'), { recursive: true });
      mkdirSync(join(root, 'usr/bin'), { recursive: true });
      writeFileSync(join(root, 'usr/bin/new'), 'new');
    },
    expected: ['C usr', 'C usr/bin', 'D usr/bin/ls', 'A usr/bin/new', 'D usr/bin/sh', 'D usr/lib'],
  },
  {
    name: 'a file in the place of a directory, and the other way round',
    change: (root) => {
      rmSync(join(root, 'etc'), { recursive: true });
      writeFileSync(join(root, 'etc'), 'file');
      rmSync(join(root, 'usr-file'));
      mkdirSync(join(root, 'usr-file'));
    },
    expected: ['C etc', 'C usr-file'],
  },
  {
    name: 'nothing, when a file came and went',
    change: (root) => {
      writeFileSync(join(root, 'usr/lib/temporary'), 'x');
      rmSync(join(root, 'usr/lib/temporary'));
    },
    expected: [],
  },
  {
    name: 'nothing of what the runtime mounts over',
    isRuntime: true,
    change: (root) => {
      for (const name of ['dev/pts', 'proc', 'sys']) mkdirSync(join(root, name), { recursive: true });
      for (const name of ['etc/hosts', 'etc/resolv.conf', 'etc/hostname', '.dockerenv'])
        writeFileSync(join(root, name), '');
    },
    expected: [],
  },
  {
    name: 'what a container has written where the runtime mounts',
    isRuntime: true,
    change: (root) => {
      mkdirSync(join(root, 'dev'));
      writeFileSync(join(root, 'dev/own'), '');
      writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 box');
    },
    expected: ['A dev', 'A dev/own', 'C etc', 'A etc/hosts'],
  },
];

for (const { name, change, expected, isRuntime } of cases) {
  test(`a difference shows ${name}`, { skip }, (t) => {
    for (const [kind, source] of Object.entries(changed(t, change, isRuntime))) {
      assert.deepEqual(listed(source), expected, kind);
    }
  });
}

function packed(source: DifferenceSource): { entries: ArchiveEntry[]; frames: number[] } {
  const entries: ArchiveEntry[] = [];
  const frames: number[] = [];
  const reader = createTarReader({ entry: (entry) => entries.push(entry), content() {}, contentEnd() {} });
  for (const frame of packDifference(source)) {
    frames.push(frame.length);
    reader.write(frame);
  }
  reader.end();
  return { entries, frames };
}

test('a packed difference has whiteouts, hard links and frames of at most 1 MiB', { skip }, (t) => {
  const sources = changed(t, (root) => {
    rmSync(join(root, 'usr/bin/ls'));
    writeFileSync(join(root, 'one'), 'x'.repeat(3_000_000));
    linkSync(join(root, 'one'), join(root, 'two'));
  });
  for (const source of Object.values(sources)) {
    const { entries, frames } = packed(source);
    assert.deepEqual(
      entries.map(({ kind, path, linkTarget }) => `${kind} ${path} ${linkTarget}`.trim()),
      ['file one', 'hardlink two one', 'directory usr/', 'directory usr/bin/', 'file usr/bin/.wh.ls'],
    );
    assert.ok(frames.every((length) => length <= 1024 * 1024));
    assert.equal(measureDifference(source), 3_000_000);
  }
});

test('a file that shrinks while it is packed leaves an archive that can be read', { skip }, (t) => {
  const { trees } = changed(t, (root) => writeFileSync(join(root, 'log'), 'x'.repeat(2_500_000)));
  const source = trees ?? assert.fail();
  const entries: ArchiveEntry[] = [];
  const reader = createTarReader({ entry: (entry) => entries.push(entry), content() {}, contentEnd() {} });
  for (const frame of packDifference(source)) {
    if (source.kind === 'trees') truncateSync(join(source.tree, 'log'), 10);
    reader.write(frame);
  }
  reader.end();
  assert.equal(entries[0]?.size, 2_500_000);
});

test('a name that would be read as a whiteout is left out', { skip }, (t) => {
  const { overlay } = changed(t, (root) => writeFileSync(join(root, '.wh.etc'), 'x'));
  assert.deepEqual(packed(overlay ?? assert.fail()).entries, []);
});

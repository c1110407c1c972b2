import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Member } from '../../../kit/archive/archive.fixture.ts';
import { createXattrs } from '../../../kit/linux/xattr.ts';
import { isOpaque, isOverlayWhiteout } from '../tree/overlay-marks.ts';
import { assertOutsideUntouched, box, contents, refusal, unpack } from './unpacker.fixture.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: owners and device nodes are set';

for (const path of ['.wh.', '.wh..', '.wh...', 'dir/.wh..']) {
  test(`a whiteout of no name is refused: ${path}`, { skip }, (t) => {
    const { root } = box(t);
    for (const whiteouts of ['overlay', 'in place'] as const) {
      assert.match(refusal(root, [{ path }], { whiteouts }), /whiteout of no name/);
    }
  });
}

test('overlay: a whiteout hides the name below, and AUFS’s own files are left out', { skip }, (t) => {
  const { root } = box(t);
  unpack(root, [
    { path: 'etc/.wh.motd' },
    { path: '.wh..wh.plnk', kind: 'directory' },
    { path: '.wh..wh.aufs' },
    { path: 'var/cache/.wh..wh..opq' },
  ]);
  assert.ok(isOverlayWhiteout(lstatSync(join(root, 'etc/motd'), { bigint: true })));
  assert.ok(isOpaque(Buffer.from(join(root, 'var/cache'))));
  assert.deepEqual(readdirSync(root).sort(), ['etc', 'var']);
});

test('overlay: an opaque root is reported', { skip }, (t) => {
  const { root } = box(t);
  assert.equal(unpack(root, [{ path: 'a' }]).isRootOpaque, false);
  assert.equal(unpack(root, [{ path: '.wh..wh..opq' }]).isRootOpaque, true);
});

test('overlay: a whiteout never touches what the same archive brings', { skip }, (t) => {
  const { root } = box(t);
  unpack(root, [
    { path: 'file', content: 'new' },
    { path: '.wh.file' },
    { path: 'dir/inner', content: 'new' },
    { path: '.wh.dir' },
  ]);
  assert.equal(readFileSync(join(root, 'file'), 'utf8'), 'new');
  assert.equal(readFileSync(join(root, 'dir/inner'), 'utf8'), 'new');
  assert.ok(isOpaque(Buffer.from(join(root, 'dir'))));
});

test('overlay: a directory that replaces a hidden one shows nothing of it', { skip }, (t) => {
  const { root } = box(t);
  unpack(root, [{ path: '.wh.dir' }, { path: 'dir', kind: 'directory' }, { path: 'dir/new', content: 'x' }]);
  assert.ok(isOpaque(Buffer.from(join(root, 'dir'))));
});

test('overlay: a directory the archive takes for granted keeps the attributes it has below', { skip }, (t) => {
  const { root } = box(t);
  const below = box(t).root;
  unpack(below, [{ path: 'home/user', kind: 'directory', mode: 0o700, uid: 1000, gid: 1000 }]);
  unpack(root, [{ path: 'home/user/.profile', content: 'x' }], { lowers: [below] });
  const stats = lstatSync(join(root, 'home/user'));
  assert.deepEqual([stats.mode & 0o7777, stats.uid, stats.gid], [0o700, 1000, 1000]);
});

test('overlay: an archive cannot set overlayfs’s own marks', { skip }, (t) => {
  const { root } = box(t);
  const marks = { 'trusted.overlay.opaque': 'y', 'trusted.overlay.redirect': '/etc', 'trusted.overlay.metacopy': '' };
  unpack(root, [
    { path: 'dir', kind: 'directory', xattrs: marks },
    { path: 'file', xattrs: marks },
  ]);
  assert.deepEqual(createXattrs().list(join(root, 'dir')), []);
  assert.deepEqual(createXattrs().list(join(root, 'file')), []);
  for (const whiteouts of ['overlay', 'in place'] as const) {
    assert.match(refusal(root, [{ path: 'null', kind: 'char', major: 0, minor: 0 }], { whiteouts }), /device 0:0/);
  }
});

test('overlay: a hard link to a whiteout makes no second one', { skip }, (t) => {
  const { root } = box(t);
  assert.match(
    refusal(root, [{ path: '.wh.gone' }, { path: 'l', kind: 'hardlink', linkTarget: 'gone' }]),
    /is not there/,
  );
});

test('in place: a whiteout deletes what was there, and nothing through a symlink', { skip }, (t) => {
  const { root, outside } = box(t);
  mkdirSync(join(root, 'dir/sub'), { recursive: true });
  writeFileSync(join(root, 'dir/sub/file'), 'old');
  symlinkSync(outside, join(root, 'dir/link'));
  symlinkSync(outside, join(root, 'link'));
  unpack(root, [{ path: '.wh.dir' }, { path: '.wh.link' }, { path: '.wh.never-there' }], { whiteouts: 'in place' });
  assert.deepEqual(contents(root), {});
  assertOutsideUntouched(outside);
});

test('in place: a whiteout below a symlink that leads out deletes nothing there', { skip }, (t) => {
  const { root, outside } = box(t);
  symlinkSync(outside, join(root, 'link'));
  assert.match(refusal(root, [{ path: 'link/.wh.secret' }], { whiteouts: 'in place' }), /leads nowhere/);
  symlinkSync('../outside', join(root, 'up'));
  assert.match(refusal(root, [{ path: 'up/.wh..wh..opq' }], { whiteouts: 'in place' }), /leads nowhere/);
  assertOutsideUntouched(outside);
});

test('in place: an opaque directory keeps what the same archive brings, in either order', { skip }, (t) => {
  for (const position of [0, 3]) {
    const { root } = box(t);
    mkdirSync(join(root, 'dir/old'), { recursive: true });
    mkdirSync(join(root, 'dir/both'));
    writeFileSync(join(root, 'dir/old/file'), 'old');
    writeFileSync(join(root, 'dir/both/file'), 'old');
    const members: Member[] = [
      { path: 'dir', kind: 'directory' },
      { path: 'dir/both/new', content: 'new' },
      { path: 'dir/file', content: 'new' },
    ];
    members.splice(position, 0, { path: 'dir/.wh..wh..opq' });
    unpack(root, members, { whiteouts: 'in place' });
    const left = contents(root);
    assert.deepEqual(left, { dir: 'directory', 'dir/both': 'directory', 'dir/both/new': 'new', 'dir/file': 'new' });
  }
});

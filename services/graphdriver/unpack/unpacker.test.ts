import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createXattrs } from '../../../kit/linux/xattr.ts';
import { archiveOf, type Member } from '../archive/archive.fixture.ts';
import { BadArchive } from '../archive/entry.ts';
import { createTarReader } from '../archive/tar-reader.ts';
import { isOpaque, isOverlayWhiteout } from '../tree/overlay-marks.ts';
import { createUnpacker, type Unpacked, type UnpackTarget } from './unpacker.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: owners and device nodes are set';

interface Box {
  /** The layer. */
  root: string;
  /** Beside the layer: what must never change. */
  outside: string;
}

function box(t: TestContext): Box {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-unpack-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const made = { root: join(directory, 'layer'), outside: join(directory, 'outside') };
  mkdirSync(made.root);
  mkdirSync(made.outside);
  writeFileSync(join(made.outside, 'secret'), 'secret');
  return made;
}

function unpack(root: string, members: Member[], options: Partial<UnpackTarget> = {}): Unpacked {
  using unpacker = createUnpacker({ root, whiteouts: 'overlay', lowers: [], ...options });
  const reader = createTarReader(unpacker);
  reader.write(archiveOf(...members));
  reader.end();
  return unpacker.finish();
}

function refusal(root: string, members: Member[], options: Partial<UnpackTarget> = {}): string {
  try {
    unpack(root, members, options);
  } catch (error) {
    if (error instanceof BadArchive) return error.message;
    throw error;
  }
  throw new Error('the archive was accepted');
}

/** Path → content, of everything in a directory. */
function contents(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const stats = lstatSync(join(directory, name));
    if (stats.isFile()) found[name] = readFileSync(join(directory, name), 'utf8');
    else if (stats.isSymbolicLink()) found[name] = `-> ${readlinkSync(join(directory, name))}`;
    else found[name] = stats.isDirectory() ? 'directory' : 'special';
  }
  return found;
}

function assertOutsideUntouched(outside: string): void {
  assert.deepEqual(contents(outside), { secret: 'secret' });
}

test('what an archive says of a file is so afterwards', { skip }, (t) => {
  const { root } = box(t);
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
  const unpacked = unpack(root, [
    { path: './', kind: 'directory', mode: 0o751, uid: 5, gid: 6 },
    {
      path: 'bin',
      kind: 'directory',
      mode: 0o1777,
      uid: 7,
      gid: 8,
      modified: { seconds: 1_500_000_000, nanoseconds: 7 },
    },
    {
      path: 'bin/ping',
      content: 'elf',
      mode: 0o4755,
      uid: 1000,
      gid: 2000,
      modified: { seconds: 1_600_000_000, nanoseconds: 123_456_789 },
      xattrs: { 'security.capability': capability, 'user.note': 'kept' },
    },
    { path: 'sbin', kind: 'symlink', linkTarget: 'bin', uid: 9, gid: 10 },
    { path: 'bin/ping6', kind: 'hardlink', linkTarget: 'bin/ping' },
    { path: 'dev/null', kind: 'char', major: 1, minor: 3, mode: 0o666 },
    { path: 'dev/pipe', kind: 'fifo' },
  ]);
  assert.equal(unpacked.size, 3);
  const ping = lstatSync(join(root, 'bin/ping'), { bigint: true });
  assert.deepEqual([ping.uid, ping.gid, ping.mode & 0o7777n, ping.nlink], [1000n, 2000n, 0o4755n, 2n]);
  assert.equal(ping.mtimeNs, 1_600_000_000_123_456_789n);
  assert.deepEqual(createXattrs().get(join(root, 'bin/ping'), 'security.capability'), capability);
  assert.equal(createXattrs().get(join(root, 'bin/ping'), 'user.note')?.toString(), 'kept');
  const bin = lstatSync(join(root, 'bin'), { bigint: true });
  assert.deepEqual([bin.uid, bin.gid, bin.mode & 0o7777n, bin.mtimeNs], [7n, 8n, 0o1777n, 1_500_000_000_000_000_007n]);
  const top = statSync(root);
  assert.deepEqual([top.uid, top.gid, top.mode & 0o7777], [5, 6, 0o751]);
  assert.equal(lstatSync(join(root, 'sbin')).uid, 9);
  assert.equal(lstatSync(join(root, 'dev/null')).rdev, 0x103);
  assert.ok(lstatSync(join(root, 'dev/pipe')).isFIFO());
});

test('names that are not UTF-8 stay as they are', { skip }, (t) => {
  const { root } = box(t);
  unpack(root, [{ path: 'caf\xe9', content: 'x' }]);
  assert.deepEqual(readdirSync(Buffer.from(root), { encoding: 'latin1' }), ['caf\xe9']);
});

for (const path of ['../escape', 'a/../../escape', '/../escape', '..', 'a/../..']) {
  test(`a path that leads out is refused: ${path}`, { skip }, (t) => {
    const { root, outside } = box(t);
    assert.match(refusal(root, [{ path, content: 'x' }]), /out of the layer/);
    assertOutsideUntouched(outside);
  });
}

test('an absolute path is the layer’s own', { skip }, (t) => {
  const { root } = box(t);
  unpack(root, [
    { path: '/etc//./passwd', content: 'x' },
    { path: 'etc/x/../group', content: 'y' },
  ]);
  assert.deepEqual(contents(root), { etc: 'directory', 'etc/passwd': 'x', 'etc/group': 'y' });
});

test('a symlink in an entry’s path is followed inside the layer only', { skip }, (t) => {
  const { root, outside } = box(t);
  unpack(root, [
    { path: 'up', kind: 'symlink', linkTarget: '../outside' },
    { path: 'absolute', kind: 'symlink', linkTarget: outside },
    { path: 'outside', kind: 'directory' },
    { path: outside, kind: 'directory' },
    { path: 'up/secret', content: 'inside' },
    { path: 'absolute/secret', content: 'inside too' },
  ]);
  assertOutsideUntouched(outside);
  assert.equal(readFileSync(join(root, 'outside/secret'), 'utf8'), 'inside');
  assert.equal(readFileSync(join(root, outside, 'secret'), 'utf8'), 'inside too');
});

test('a file takes the place of a symlink and is not written through it', { skip }, (t) => {
  const { root, outside } = box(t);
  unpack(root, [
    { path: 'etc', kind: 'symlink', linkTarget: join(outside, 'secret') },
    { path: 'etc', content: 'mine', mode: 0o600, uid: 4 },
    { path: 'log', kind: 'symlink', linkTarget: outside },
    { path: 'log', kind: 'directory', mode: 0o700, uid: 4 },
  ]);
  assertOutsideUntouched(outside);
  assert.equal(statSync(outside).uid, 0);
  assert.deepEqual(contents(root), { etc: 'mine', log: 'directory' });
});

test('a directory that was replaced by a symlink is not written into any more', { skip }, (t) => {
  const { root, outside } = box(t);
  unpack(root, [
    { path: outside, kind: 'directory' },
    { path: 'a/one', content: '1' },
    { path: 'a', kind: 'symlink', linkTarget: outside },
    { path: 'a/two', content: '2' },
  ]);
  assertOutsideUntouched(outside);
  assert.equal(readFileSync(join(root, outside, 'two'), 'utf8'), '2');
});

test('a dangling or endless symlink in an entry’s path is refused or stays inside', { skip }, (t) => {
  const { root, outside } = box(t);
  unpack(root, [{ path: 'loop', kind: 'symlink', linkTarget: 'loop' }]);
  assert.match(refusal(root, [{ path: 'loop/file' }]), /symlinks/);
  assert.match(
    refusal(root, [{ path: 'gone', kind: 'symlink', linkTarget: '../../../nowhere' }, { path: 'gone/file' }]),
    /leads nowhere/,
  );
  assert.match(refusal(root, [{ path: 'file' }, { path: 'file/below' }]), /no directory/);
  assertOutsideUntouched(outside);
});

test('a hard link to something outside is refused', { skip }, (t) => {
  const { root, outside } = box(t);
  assert.match(refusal(root, [{ path: 'l', kind: 'hardlink', linkTarget: '../outside/secret' }]), /out of the layer/);
  assert.match(
    refusal(root, [{ path: 'l', kind: 'hardlink', linkTarget: join(outside, 'secret') }]),
    /not in the layer/,
  );
  const through = [
    { path: 'dir', kind: 'symlink', linkTarget: outside },
    { path: 'l', kind: 'hardlink', linkTarget: 'dir/secret' },
  ] satisfies Member[];
  assert.match(refusal(root, through), /not in the layer/);
  assert.match(refusal(root, [{ path: 'l', kind: 'hardlink', linkTarget: '/' }]), /hard link to a directory/);
  assert.equal(lstatSync(join(outside, 'secret')).nlink, 1);
});

test('a hard link to a symlink links the symlink, and writing the name again leaves its target alone', {
  skip,
}, (t) => {
  const { root, outside } = box(t);
  unpack(root, [
    { path: 's', kind: 'symlink', linkTarget: join(outside, 'secret') },
    { path: 'h', kind: 'hardlink', linkTarget: 's' },
    { path: 'h', content: 'overwrite' },
  ]);
  assertOutsideUntouched(outside);
});

test('a hard link to itself changes nothing', { skip }, (t) => {
  const { root } = box(t);
  unpack(root, [
    { path: 'd/f', content: 'x' },
    { path: 'd/f', kind: 'hardlink', linkTarget: './d/f' },
  ]);
  assert.equal(readFileSync(join(root, 'd/f'), 'utf8'), 'x');
});

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
    /not in the layer/,
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

test('a name that is too long for Linux is refused', { skip }, (t) => {
  const { root } = box(t);
  assert.match(refusal(root, [{ path: 'x'.repeat(256) }]), /255/);
});

test('an owner that is no number of a user is refused', { skip }, (t) => {
  const { root } = box(t);
  assert.match(refusal(root, [{ path: 'f', uid: 0xffff_ffff }]), /user or group id/);
});

test('a failed unpacking closes its files', { skip }, (t) => {
  const { root } = box(t);
  const before = readdirSync('/proc/self/fd').length;
  refusal(root, [{ path: 'a/b/file', content: 'x'.repeat(5000) }, { path: '../out' }]);
  assert.equal(readdirSync('/proc/self/fd').length, before);
  assert.ok(existsSync(join(root, 'a/b/file')));
});

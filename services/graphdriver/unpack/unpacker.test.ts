import assert from 'node:assert/strict';
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Member } from '../../../kit/archive/archive.fixture.ts';
import { createXattrs } from '../../../kit/linux/xattr.ts';
import { assertOutsideUntouched, box, contents, refusal, unpack } from './unpacker.fixture.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: owners and device nodes are set';

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
    assert.match(refusal(root, [{ path, content: 'x' }]), /out of the root/);
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
  assert.match(refusal(root, [{ path: 'l', kind: 'hardlink', linkTarget: '../outside/secret' }]), /out of the root/);
  assert.match(refusal(root, [{ path: 'l', kind: 'hardlink', linkTarget: join(outside, 'secret') }]), /is not there/);
  const through = [
    { path: 'dir', kind: 'symlink', linkTarget: outside },
    { path: 'l', kind: 'hardlink', linkTarget: 'dir/secret' },
  ] satisfies Member[];
  assert.match(refusal(root, through), /is not there/);
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

import assert from 'node:assert/strict';
import { closeSync, lstatSync, mkdtempSync, openSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import {
  chmodAt,
  chownAt,
  linkAt,
  mkdirAt,
  mknodAt,
  rmdirAt,
  symlinkAt,
  unlinkAt,
  utimesAt,
} from './directory-entries.ts';
import { majorOf, makeDevice, minorOf } from './files.ts';
import { OpenFlag } from './libc.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root to give files away';
const S_IFCHR = 0o020000;
const S_IFIFO = 0o010000;

function place() {
  const path = mkdtempSync(join(tmpdir(), 'longshore-at-'));
  const fd = openSync(path, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  return {
    fd,
    stat: (name: string) => lstatSync(join(path, name), { bigint: true }),
    path: (name: string) => join(path, name),
    [Symbol.dispose]() {
      closeSync(fd);
      rmSync(path, { recursive: true });
    },
  };
}

suite('directory entries', { skip }, () => {
  test('directories, fifos and devices are made with their exact modes', () => {
    using at = place();
    mkdirAt(at.fd, 'directory', 0o700);
    chmodAt(at.fd, 'directory', 0o1777);
    mknodAt(at.fd, 'fifo', S_IFIFO | 0o600);
    mknodAt(at.fd, 'null', S_IFCHR | 0o600, makeDevice(1, 3));
    assert.equal(at.stat('directory').mode & 0o7777n, 0o1777n);
    assert.ok(at.stat('fifo').isFIFO());
    const { rdev } = at.stat('null');
    assert.deepEqual([majorOf(Number(rdev)), minorOf(Number(rdev))], [1, 3]);
    rmdirAt(at.fd, 'directory');
    assert.throws(() => at.stat('directory'), { code: 'ENOENT' });
  });

  test('owner and times are those of a symlink itself; its permissions are refused', () => {
    using at = place();
    writeFileSync(at.path('file'), '');
    const before = at.stat('file');
    symlinkAt('file', at.fd, 'link');
    chownAt(at.fd, 'link', 1234, 5678);
    utimesAt(at.fd, 'link', 1_000_000_007n, -1n);
    const link = at.stat('link');
    assert.deepEqual([link.uid, link.gid, link.atimeNs, link.mtimeNs], [1234n, 5678n, 1_000_000_007n, -1n]);
    assert.throws(() => chmodAt(at.fd, 'link', 0o777), { code: 'ENOTSUP' });
    const after = at.stat('file');
    assert.deepEqual([after.uid, after.mtimeNs, after.mode], [before.uid, before.mtimeNs, before.mode]);
    assert.equal(readlinkSync(at.path('link')), 'file');
  });

  test('one time may be left as it is', () => {
    using at = place();
    writeFileSync(at.path('file'), '');
    const { atimeNs } = at.stat('file');
    utimesAt(at.fd, 'file', undefined, 1_700_000_000_123_456_789n);
    assert.deepEqual([at.stat('file').atimeNs, at.stat('file').mtimeNs], [atimeNs, 1_700_000_000_123_456_789n]);
  });

  test('a hard link to a symlink is the symlink again', () => {
    using at = place();
    symlinkAt('/etc/passwd', at.fd, 'link');
    linkAt(at.fd, 'link', at.fd, 'again');
    assert.equal(at.stat('again').ino, at.stat('link').ino);
    unlinkAt(at.fd, 'link');
    assert.equal(readlinkSync(at.path('again')), '/etc/passwd');
  });

  test('a name with a slash, dot or dot-dot is refused before the kernel sees it', () => {
    using at = place();
    for (const name of ['', '.', '..', 'a/b', '/a', Buffer.from('a/b')]) {
      assert.throws(() => mkdirAt(at.fd, name, 0o700), { code: 'EINVAL' });
    }
  });

  test('an existing name is EEXIST, with the name', () => {
    using at = place();
    mkdirAt(at.fd, 'a', 0o700);
    assert.throws(() => mkdirAt(at.fd, 'a', 0o700), { code: 'EEXIST', path: 'a' });
  });
});

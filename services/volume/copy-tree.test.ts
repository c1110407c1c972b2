import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createXattrs } from '../../kit/linux/xattr.ts';
import { fill } from './fill.ts';

const isRoot = process.getuid?.() === 0;

function ownDirectory() {
  const root = mkdtempSync(join(tmpdir(), 'longshore-copy-'));
  const [image, target] = [join(root, 'image'), join(root, 'target')];
  mkdirSync(join(image, 'data'), { recursive: true });
  mkdirSync(target);
  return {
    image,
    data: join(image, 'data'),
    target,
    fillAt: (place: string) => fill({ root: image, place, target }),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

suite('copying into a volume', { skip: isRoot ? false : 'needs root for owners and devices' }, () => {
  test('owners, modes, times, attributes and kinds of files are kept', () => {
    using at = ownDirectory();
    mkdirSync(join(at.data, 'sub'));
    writeFileSync(join(at.data, 'sub', 'file'), 'text');
    chownSync(join(at.data, 'sub', 'file'), 1000, 2000);
    chmodSync(join(at.data, 'sub', 'file'), 0o4751);
    createXattrs().set(join(at.data, 'sub', 'file'), 'user.note', 'kept');
    utimesSync(join(at.data, 'sub', 'file'), 1_000_000_000, 1_100_000_000);
    utimesSync(join(at.data, 'sub'), 1_000_000_000, 1_200_000_000);
    symlinkSync('../nowhere', join(at.data, 'link'));
    execFileSync('mknod', [join(at.data, 'null'), 'c', '1', '3']);
    execFileSync('mkfifo', [join(at.data, 'pipe')]);
    chownSync(at.data, 33, 44);
    chmodSync(at.data, 0o1770);

    assert.equal(at.fillAt('/data'), true);
    const file = lstatSync(join(at.target, 'sub', 'file'));
    assert.equal(readFileSync(join(at.target, 'sub', 'file'), 'utf8'), 'text');
    assert.deepEqual([file.uid, file.gid, file.mode & 0o7777, file.mtimeMs], [1000, 2000, 0o4751, 1_100_000_000_000]);
    assert.equal(
      createXattrs()
        .get(join(at.target, 'sub', 'file'), 'user.note')
        ?.toString(),
      'kept',
    );
    assert.equal(statSync(join(at.target, 'sub')).mtimeMs, 1_200_000_000_000);
    assert.equal(readlinkSync(join(at.target, 'link')), '../nowhere');
    assert.equal(lstatSync(join(at.target, 'null')).rdev, lstatSync('/dev/null').rdev);
    assert.equal(lstatSync(join(at.target, 'pipe')).isFIFO(), true);
    const root = statSync(at.target);
    assert.deepEqual([root.uid, root.gid, root.mode & 0o7777], [33, 44, 0o1770]);
  });

  test('names of one file are names of one file again', () => {
    using at = ownDirectory();
    mkdirSync(join(at.data, 'a', 'b'), { recursive: true });
    writeFileSync(join(at.data, 'a', 'b', 'one'), 'x');
    linkSync(join(at.data, 'a', 'b', 'one'), join(at.data, 'two'));
    at.fillAt('/data');
    assert.equal(statSync(join(at.target, 'two')).ino, statSync(join(at.target, 'a', 'b', 'one')).ino);
  });

  test('the place may lead through symlinks, but never out of the root', () => {
    using at = ownDirectory();
    writeFileSync(join(at.data, 'file'), 'inside');
    symlinkSync('/data', join(at.image, 'var'));
    symlinkSync('../../../../etc', join(at.image, 'out'));
    assert.equal(at.fillAt('/var'), true);
    assert.equal(readFileSync(join(at.target, 'file'), 'utf8'), 'inside');
    assert.equal(at.fillAt('/out'), false);
  });

  test('a symlink among the files is copied, not followed', () => {
    using at = ownDirectory();
    symlinkSync('/etc/passwd', join(at.data, 'passwd'));
    symlinkSync('/etc', join(at.data, 'etc'));
    at.fillAt('/data');
    assert.equal(readlinkSync(join(at.target, 'passwd')), '/etc/passwd');
    assert.equal(lstatSync(join(at.target, 'etc')).isSymbolicLink(), true);
  });

  test('a copy that was cut is made whole by the next', () => {
    using at = ownDirectory();
    mkdirSync(join(at.data, 'sub'));
    writeFileSync(join(at.data, 'sub', 'file'), 'whole');
    mkdirSync(join(at.target, 'sub'));
    writeFileSync(join(at.target, 'sub', 'file'), 'wh');
    at.fillAt('/data');
    assert.equal(readFileSync(join(at.target, 'sub', 'file'), 'utf8'), 'whole');
  });

  test('what is no directory, or not there, fills nothing', () => {
    using at = ownDirectory();
    writeFileSync(join(at.data, 'file'), '');
    assert.equal(at.fillAt('/data/file'), false);
    assert.equal(at.fillAt('/nothing'), false);
  });
});

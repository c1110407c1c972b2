import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FilesystemType, filesystemType, majorOf, makeDevice, minorOf, readInRoot, syncDirectory } from './files.ts';

function root() {
  const path = mkdtempSync(join(tmpdir(), 'longshore-files-'));
  mkdirSync(join(path, 'etc'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test('a file of an untrusted root is read through its own symlinks only', () => {
  using tree = root();
  writeFileSync(join(tree.path, 'etc/real'), 'root:x:0:0');
  symlinkSync('/etc/real', join(tree.path, 'etc/passwd'));
  symlinkSync('/etc/hostname', join(tree.path, 'etc/trap'));
  assert.equal(readInRoot(tree.path, '/etc/passwd', 100)?.toString(), 'root:x:0:0');
  assert.equal(readInRoot(tree.path, '/etc/passwd', 10)?.length, 10);
  assert.equal(readInRoot(tree.path, '/etc/trap', 100), undefined);
  assert.equal(readInRoot(tree.path, '/etc/real/below', 100), undefined);
});

test('what is too long or no file is refused, and a fifo does not hang', () => {
  using tree = root();
  writeFileSync(join(tree.path, 'long'), 'x'.repeat(101));
  execFileSync('mkfifo', [join(tree.path, 'fifo')]);
  assert.throws(() => readInRoot(tree.path, 'long', 100), { code: 'EFBIG' });
  assert.throws(() => readInRoot(tree.path, 'fifo', 100), { code: 'EINVAL' });
  assert.throws(() => readInRoot(tree.path, 'etc', 100), { code: 'EINVAL' });
});

test('the type of a filesystem is told, and a directory can be synced', () => {
  using tree = root();
  assert.equal(filesystemType('/proc/self/ns/net'), FilesystemType.NSFS);
  syncDirectory(tree.path);
  assert.throws(() => syncDirectory(join(tree.path, 'none')), { code: 'ENOENT' });
});

test('device numbers go there and back, large ones too', () => {
  for (const [major, minor] of [
    [1, 3],
    [259, 1_000_000],
    [4095, 1_048_575],
  ] as const) {
    const device = makeDevice(major, minor);
    assert.deepEqual([majorOf(device), minorOf(device)], [major, minor]);
  }
  assert.equal(makeDevice(8, 1), 0x801);
});

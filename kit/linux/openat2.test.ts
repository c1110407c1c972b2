import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OpenFlag } from './libc.ts';
import { openBeneath, openInRoot } from './openat2.ts';

/** A root with a secret beside it. */
function roots() {
  const outside = mkdtempSync(join(tmpdir(), 'longshore-openat2-'));
  const root = join(outside, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'inside');
  writeFileSync(join(outside, 'passwd'), 'outside');
  symlinkSync('../../passwd', join(root, 'etc/dotdot'));
  symlinkSync(`${outside}/passwd`, join(root, 'etc/absolute'));
  symlinkSync('/etc/passwd', join(root, 'etc/own'));
  const directory = openSync(root, OpenFlag.PATH | OpenFlag.DIRECTORY);
  return {
    root,
    directory,
    [Symbol.dispose]() {
      closeSync(directory);
      rmSync(outside, { recursive: true });
    },
  };
}

function contentOf(fd: number): string {
  try {
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

test('in a root, absolute paths, symlinks and dot-dot stay inside', () => {
  using tree = roots();
  for (const path of ['/etc/passwd', 'etc/own', '../../../etc/passwd', '/etc/../../etc/passwd']) {
    assert.equal(contentOf(openInRoot(tree.root, path, OpenFlag.RDONLY)), 'inside', path);
    assert.equal(contentOf(openInRoot(tree.directory, path, OpenFlag.RDONLY)), 'inside', path);
  }
  assert.throws(() => openInRoot(tree.root, 'etc/dotdot', OpenFlag.RDONLY), { code: 'ENOENT' });
  assert.throws(() => openInRoot(tree.root, 'etc/absolute', OpenFlag.RDONLY), { code: 'ENOENT' });
});

test('in a root, the links of /proc lead nowhere', () => {
  const inProc = () => openInRoot('/proc', `self/fd/0`, OpenFlag.RDONLY);
  assert.throws(inProc, { code: 'ELOOP' });
});

test('beneath a directory, symlinks are met with ELOOP and leaving with EXDEV', () => {
  using tree = roots();
  assert.equal(contentOf(openBeneath(tree.directory, 'etc/passwd', OpenFlag.RDONLY)), 'inside');
  assert.throws(() => openBeneath(tree.directory, 'etc/own', OpenFlag.RDONLY), { code: 'ELOOP' });
  assert.throws(() => openBeneath(tree.directory, '../passwd', OpenFlag.RDONLY), { code: 'EXDEV' });
  assert.throws(() => openBeneath(tree.directory, '/etc/passwd', OpenFlag.RDONLY), { code: 'EXDEV' });
});

test('a file is created beneath a directory, under any bytes', () => {
  using tree = roots();
  const name = Buffer.from([0x66, 0xff, 0xfe]);
  closeSync(openBeneath(tree.directory, name, OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL, 0o600));
  assert.equal(readFileSync(Buffer.concat([Buffer.from(`${tree.root}/`), name])).length, 0);
});

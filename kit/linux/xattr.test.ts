import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createXattrs } from './xattr.ts';

const xattrs = createXattrs();
const skip = process.getuid?.() === 0 ? false : 'needs root for trusted attributes';

function oneFile() {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-xattr-'));
  const path = join(directory, 'file');
  writeFileSync(path, '');
  return { directory, path, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

suite('extended attributes', { skip }, () => {
  test('a value that was set is read back, byte for byte, and listed', () => {
    using file = oneFile();
    const value = Buffer.from([0, 1, 2, 255, 0]);
    xattrs.set(file.path, 'trusted.longshore', value);
    assert.deepEqual(xattrs.get(file.path, 'trusted.longshore'), value);
    assert.ok(xattrs.list(file.path).includes('trusted.longshore'));
    xattrs.set(file.path, 'trusted.longshore', 'text');
    assert.equal(xattrs.get(file.path, 'trusted.longshore')?.toString(), 'text');
  });

  test('long and empty values are read whole', () => {
    using file = oneFile();
    const long = Buffer.alloc(1500, 'x');
    xattrs.set(file.path, 'trusted.long', long);
    xattrs.set(file.path, 'trusted.empty', '');
    assert.deepEqual(xattrs.get(file.path, 'trusted.long'), long);
    assert.equal(xattrs.get(file.path, 'trusted.empty')?.length, 0);
  });

  test('a missing attribute is undefined, and removing it is not an error', () => {
    using file = oneFile();
    assert.equal(xattrs.get(file.path, 'trusted.none'), undefined);
    xattrs.set(file.path, 'trusted.some', 'x');
    xattrs.remove(file.path, 'trusted.some');
    xattrs.remove(file.path, 'trusted.some');
    assert.equal(xattrs.get(file.path, 'trusted.some'), undefined);
  });

  test('a symlink has its own attributes, also under a name that is not UTF-8', () => {
    using file = oneFile();
    const link = Buffer.concat([Buffer.from(`${file.directory}/`), Buffer.from([0xff, 0xfe])]);
    symlinkSync(file.path, link);
    xattrs.set(link, 'trusted.mine', 'link');
    assert.equal(xattrs.get(link, 'trusted.mine')?.toString(), 'link');
    assert.equal(xattrs.get(file.path, 'trusted.mine'), undefined);
  });

  test('a missing file is an error with its path', () => {
    assert.throws(() => xattrs.get('/nowhere/file', 'user.x'), { code: 'ENOENT', path: '/nowhere/file user.x' });
  });
});

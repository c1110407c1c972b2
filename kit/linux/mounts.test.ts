import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parseMountinfo } from './mountinfo.ts';
import { createMounts, MountFlag } from './mounts.ts';
import { kernelAppendsLowers, mountOverlayByData, type Overlay, takesLowersOneByOne } from './overlay.ts';
import { SystemError } from './system-error.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root to mount';
const mounts = createMounts();

/** A private tmpfs to play on, gone with all that was mounted in it. */
function playground() {
  const path = mkdtempSync(join(tmpdir(), 'longshore-mounts-'));
  mounts.mount('tmpfs', path, 'tmpfs');
  mounts.makePrivate(path);
  const directory = (name: string): string => {
    mkdirSync(join(path, name), { recursive: true });
    return join(path, name);
  };
  return {
    path,
    directory,
    [Symbol.dispose]() {
      for (const mount of mounts.list(path).reverse()) mounts.unmount(mount.target, { detach: true });
      rmSync(path, { recursive: true });
    },
  };
}

function manyLowers(directory: (name: string) => string, count: number): Omit<Overlay, 'target'> {
  const lower = Array.from({ length: count }, (_, n) => {
    const path = directory(`a-rather-long-directory-name-for-a-layer/${'0123456789abcdef'.repeat(4)}-${n}`);
    writeFileSync(join(path, `file-${n}`), `${n}`);
    writeFileSync(join(path, 'same'), `${n}`);
    return path;
  });
  return { lower, upper: directory('upper'), work: directory('work') };
}

suite('mounts', { skip }, () => {
  test('a mount is listed with its type and options, and gone after unmounting', () => {
    using place = playground();
    const target = place.directory('with space\tand\\backslash');
    mounts.mount('source', target, 'tmpfs', MountFlag.NOSUID | MountFlag.RDONLY, 'size=1m');
    const [mount] = mounts.list(target);
    assert.equal(mount?.target, target);
    assert.equal(mount.type, 'tmpfs');
    assert.equal(mount.source, 'source');
    assert.deepEqual(mount.options.slice(0, 2), ['ro', 'nosuid']);
    assert.ok(mount.filesystemOptions.includes('size=1024k'));
    assert.equal(mounts.unmount(target), true);
    assert.deepEqual(mounts.list(target), []);
  });

  test('unmounting what is not mounted or not there is not an error', () => {
    using place = playground();
    assert.equal(mounts.unmount(place.directory('empty')), false);
    assert.equal(mounts.unmount(join(place.path, 'missing')), false);
  });

  test('a busy mount is refused with the path and the error named', () => {
    using place = playground();
    place.directory('outer');
    mounts.mount('tmpfs', join(place.path, 'outer'), 'tmpfs');
    const inner = place.directory('outer/inner');
    mounts.mount('tmpfs', inner, 'tmpfs');
    assert.throws(
      () => mounts.unmount(join(place.path, 'outer')),
      (error) => error instanceof SystemError && error.code === 'EBUSY' && error.path === join(place.path, 'outer'),
    );
    assert.equal(mounts.unmount(join(place.path, 'outer'), { detach: true }), true);
  });

  test('unmounting does not follow a symlink', () => {
    using place = playground();
    const target = place.directory('target');
    mounts.mount('tmpfs', target, 'tmpfs');
    symlinkSync(target, join(place.path, 'link'));
    assert.equal(mounts.unmount(join(place.path, 'link')), false);
    assert.equal(mounts.list(target).length, 1);
  });

  test('a read-only bind refuses writes while its source takes them', () => {
    using place = playground();
    const [source, target] = [place.directory('source'), place.directory('target')];
    mounts.bind(source, target, { readOnly: true });
    assert.throws(() => writeFileSync(join(target, 'file'), ''), {
      code: 'EROFS',
    });
    writeFileSync(join(source, 'file'), 'seen');
    assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'seen');
  });

  test('a recursive read-only bind makes the mounts below read-only too', () => {
    using place = playground();
    const [source, target] = [place.directory('source'), place.directory('target')];
    mounts.mount('tmpfs', place.directory('source/below'), 'tmpfs');
    mounts.bind(source, target, { readOnly: true, recursive: true });
    assert.throws(() => writeFileSync(join(target, 'below/file'), ''), {
      code: 'EROFS',
    });
    writeFileSync(join(source, 'below/file'), '');
  });

  test('a detached overlay is gone at once, and lets go of the file system below it', async () => {
    using place = playground();
    const below = place.directory('below');
    mounts.mount('tmpfs', below, 'tmpfs');
    const [lower, upper, work, target] = ['lower', 'upper', 'work', 'target'].map((name) =>
      place.directory(`below/${name}`),
    ) as [string, string, string, string];
    mounts.mountOverlay({ lower: [lower], upper, work, target });
    writeFileSync(join(target, 'file'), 'content');
    const ended = mounts.detach(target);
    assert.notEqual(ended, undefined);
    assert.deepEqual(mounts.list(target), []);
    await ended;
    assert.equal(readFileSync(join(upper, 'file'), 'utf8'), 'content');
    assert.equal(mounts.unmount(below), true);
    assert.equal(mounts.detach(target), undefined);
    assert.equal(mounts.detach(below), undefined);
  });

  test('a bind shows a file at another place', () => {
    using place = playground();
    const [source, target] = [join(place.path, 'a'), join(place.path, 'b')];
    writeFileSync(source, 'content');
    writeFileSync(target, '');
    mounts.bind(source, target);
    assert.equal(readFileSync(target, 'utf8'), 'content');
  });

  test('a shared mount passes new mounts on to its binds', () => {
    using place = playground();
    const [source, target] = [place.directory('source'), place.directory('target')];
    mounts.bind(source, source);
    mounts.makeShared(source);
    assert.match(mounts.list(source)[0]?.propagation.join() ?? '', /shared:/);
    mounts.bind(source, target);
    mounts.mount('tmpfs', place.directory('source/late'), 'tmpfs');
    assert.equal(mounts.list(join(target, 'late')).length, 1);
  });

  test('mount data longer than a page is refused instead of cut', () => {
    using place = playground();
    const target = place.directory('target');
    assert.throws(() => mounts.mount('x', target, 'tmpfs', 0, 'x'.repeat(5000)), { code: 'E2BIG' });
  });

  const ways = {
    'through the kernel’s way': mounts.mountOverlay,
    'through mount(2)': mountOverlayByData,
  };
  for (const [way, mountOverlay] of Object.entries(ways)) {
    test(`an overlay of 120 lowers shows every layer, the topmost first, ${way}`, () => {
      using place = playground();
      const [layers, target] = [manyLowers(place.directory, 120), place.directory('merged')];
      mountOverlay({ ...layers, target });
      assert.equal(readFileSync(join(target, 'same'), 'utf8'), '0');
      assert.equal(readFileSync(join(target, 'file-119'), 'utf8'), '119');
      writeFileSync(join(target, 'file-119'), 'changed');
      assert.equal(readFileSync(join(layers.upper ?? '', 'file-119'), 'utf8'), 'changed');
    });

    test(`an overlay takes paths with colon, comma, space and backslash, ${way}`, () => {
      using place = playground();
      const lower = place.directory('low:er, one\\two');
      writeFileSync(join(lower, 'file'), 'below');
      const target = place.directory('mer,ged:\\');
      mountOverlay({
        lower: [lower],
        upper: place.directory('up:p,er\\'),
        work: place.directory('wo:r,k\\'),
        target,
      });
      assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'below');
    });
  }

  test('a refused overlay says what the kernel said and leaves no mount', () => {
    using place = playground();
    const target = place.directory('merged');
    const missing = join(place.path, 'missing');
    assert.throws(
      () => mounts.mountOverlay({ lower: [missing], target }),
      (error) =>
        error instanceof SystemError && error.code === 'ENOENT' && [target, missing].includes(error.path ?? ''),
    );
    assert.throws(
      () =>
        mounts.mountOverlay({
          lower: [place.directory('lower')],
          target,
          options: { nonsense: 'on' },
        }),
      kernelAppendsLowers() ? /nonsense/ : { code: 'EINVAL', path: target },
    );
    assert.deepEqual(mounts.list(target), []);
  });
});

test('a kernel whose overlay contexts take any key gets the lower directories by mount(2)', () => {
  // Linux 6.1 took every key, 6.5 and 6.6 only those without lowerdir+.
  assert.equal(
    takesLowersOneByOne(() => true),
    false,
  );
  assert.equal(
    takesLowersOneByOne((key) => key === 'lowerdir'),
    false,
  );
  assert.equal(
    takesLowersOneByOne((key) => ['lowerdir', 'lowerdir+'].includes(key)),
    true,
  );
});

test('mountinfo lines are parsed with their escapes and optional fields', () => {
  const text = '36 35 98:0 /mnt1 /m\\040nt\\134 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n';
  assert.deepEqual(parseMountinfo(text), [
    {
      id: 36,
      parent: 35,
      device: '98:0',
      root: '/mnt1',
      target: '/m nt\\',
      options: ['rw', 'noatime'],
      filesystemOptions: ['rw', 'errors=continue'],
      propagation: ['master:1', 'shared:2'],
      type: 'ext3',
      source: '/dev/root',
    },
  ]);
  assert.deepEqual(parseMountinfo(text, '/m'), []);
});

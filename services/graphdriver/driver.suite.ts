import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { archiveOf, type Member } from '../../kit/archive/archive.fixture.ts';
import { toText } from '../../kit/archive/bytes.ts';
import { createTarReader } from '../../kit/archive/tar-reader.ts';
import type { Chain, LayerDriver, LayerId } from './driver.ts';
import { differences } from './tree/difference.ts';
import { createLayerUnpacker } from './unpack/unpacker.ts';

export interface DriverUnderTest {
  driver: LayerDriver;
  /** The driver's directory, as a second process would find it. */
  reopen(): LayerDriver;
  close(): Promise<void>;
}

/** A layer id that reads well in a test. */
export function layerId(name: string): LayerId {
  return createHash('sha256').update(name).digest('hex');
}

/** Proves a driver: every one passes this. `open` gives a fresh one on an empty directory. */
export function testDriver(name: string, open: () => DriverUnderTest, skip: string | false): void {
  describe(`the ${name} driver`, { skip }, () => {
    function prove(title: string, work: (driver: LayerDriver, reopen: () => LayerDriver) => Promise<void>): void {
      test(title, async () => {
        const { driver, reopen, close } = open();
        try {
          await work(driver, reopen);
        } finally {
          for (const layer of driver.mounted()) driver.unmount(layer);
          await close();
        }
      });
    }

    prove('shows the merged files of a chain, and keeps changes in the writable layer', async (driver) => {
      await seal(
        driver,
        'base',
        [],
        [
          { path: 'etc', kind: 'directory' },
          { path: 'etc/a', content: 'base' },
          { path: 'etc/b', content: 'base' },
          { path: 'gone', content: 'x' },
        ],
      );
      await seal(driver, 'top', ['base'], [{ path: 'etc/b', content: 'top' }, { path: '.wh.gone' }]);
      await driver.create(layerId('box'), ids('top', 'base'), {});
      const view = await driver.mount(layerId('box'), chain(['top', 'base'], true));
      assert.deepEqual(readdirSync(view), ['etc']);
      assert.equal(readFileSync(join(view, 'etc/a'), 'utf8'), 'base');
      assert.equal(readFileSync(join(view, 'etc/b'), 'utf8'), 'top');
      writeFileSync(join(view, 'etc/a'), 'changed');
      rmSync(join(view, 'etc/b'));
      writeFileSync(join(view, 'new'), 'new');
      driver.unmount(layerId('box'));
      assert.deepEqual(changes(driver, 'box', ['top', 'base']), [
        'modified etc',
        'modified etc/a',
        'deleted etc/b',
        'added new',
      ]);

      const again = await driver.mount(layerId('box'), chain(['top', 'base'], true));
      assert.equal(again, view);
      assert.equal(readFileSync(join(again, 'etc/a'), 'utf8'), 'changed');
      driver.unmount(layerId('box'));
      assert.deepEqual(changes(driver, 'top', ['base']), ['modified etc', 'modified etc/b', 'deleted gone']);
    });

    prove('gives two writable layers of one parent their own files', async (driver) => {
      await seal(driver, 'base', [], [{ path: 'file', content: 'base' }]);
      const views: string[] = [];
      for (const box of ['one', 'two']) {
        await driver.create(layerId(box), ids('base'), {});
        views.push(await driver.mount(layerId(box), chain(['base'], true)));
      }
      const [one = '', two = ''] = views;
      writeFileSync(join(one, 'file'), 'mine');
      assert.equal(readFileSync(join(two, 'file'), 'utf8'), 'base');
    });

    prove('makes a writable layer without a parent', async (driver) => {
      await driver.create(layerId('box'), [], {});
      const view = await driver.mount(layerId('box'), chain([], true));
      assert.deepEqual(readdirSync(view), []);
      writeFileSync(join(view, 'file'), 'x');
      assert.deepEqual(changes(driver, 'box', []), ['added file']);
    });

    prove('shows a sealed layer read-only', async (driver) => {
      await seal(driver, 'base', [], [{ path: 'file', content: 'base' }]);
      const view = await driver.mount(layerId('base'), chain([], false));
      assert.equal(readFileSync(join(view, 'file'), 'utf8'), 'base');
      assert.throws(() => writeFileSync(join(view, 'file'), 'changed'), { code: 'EROFS' });
    });

    prove('an opaque directory shows nothing of the layers below', async (driver) => {
      await seal(driver, 'base', [], [{ path: 'dir/old' }, { path: 'dir/sub/old' }]);
      const top = [
        { path: 'dir', kind: 'directory' },
        { path: 'dir/.wh..wh..opq' },
        { path: 'dir/new' },
      ] satisfies Member[];
      await seal(driver, 'top', ['base'], top);
      const view = await driver.mount(layerId('top'), chain(['base'], false));
      assert.deepEqual(readdirSync(join(view, 'dir')), ['new']);
    });

    prove('a writable layer’s root has its parent’s owner and permissions', async (driver) => {
      await seal(driver, 'base', [], [{ path: './', kind: 'directory', mode: 0o711, uid: 3, gid: 4 }]);
      await seal(driver, 'top', ['base'], [{ path: 'file' }]);
      await driver.create(layerId('box'), ids('top', 'base'), {});
      const { mode, uid, gid } = statSync(await driver.mount(layerId('box'), chain(['top', 'base'], true)));
      assert.deepEqual([mode & 0o7777, uid, gid], [0o711, 3, 4]);
    });

    prove('a root that no archive describes is open to all, whatever the umask', async (driver) => {
      const before = process.umask(0o077);
      try {
        await seal(driver, 'base', [], [{ path: 'taken/for/granted' }]);
        await driver.create(layerId('box'), ids('base'), {});
      } finally {
        process.umask(before);
      }
      const view = await driver.mount(layerId('box'), chain(['base'], true));
      for (const path of ['.', 'taken', 'taken/for']) assert.equal(statSync(join(view, path)).mode & 0o7777, 0o755);
    });

    prove('a container may read its own mount after the view is gone', async (driver) => {
      await seal(driver, 'base', [], [{ path: 'file', content: 'base' }]);
      await driver.create(layerId('box'), ids('base'), {});
      const view = await driver.mount(layerId('box'), chain(['base'], true));
      const before = process.cwd();
      process.chdir(view);
      try {
        driver.unmount(layerId('box'));
        assert.equal(readFileSync('file', 'utf8'), 'base');
      } finally {
        process.chdir(before);
      }
    });

    prove('a layer without a view can be unmounted, and one that is gone removed', async (driver) => {
      await driver.create(layerId('box'), [], {});
      driver.unmount(layerId('box'));
      driver.unmount(layerId('never was'));
      driver.remove(layerId('box'));
      driver.remove(layerId('box'));
      assert.deepEqual(driver.list(), new Set());
    });

    prove('a removed layer is out of the way at once, and deleted by the sweep', async (driver) => {
      await seal(driver, 'base', [], [{ path: 'dir/file', content: 'x' }]);
      await driver.create(layerId('box'), ids('base'), {});
      const view = await driver.mount(layerId('box'), chain(['base'], true));
      mkdirSync(join(view, 'deep/er'), { recursive: true });
      driver.remove(layerId('box'));
      assert.deepEqual(driver.list(), new Set(ids('base')));
      assert.ok(!existsSync(join(view, 'deep')));
      await driver.create(layerId('box'), ids('base'), {});
      driver.remove(layerId('base'));
      assert.equal(await driver.sweep(), 2);
      assert.deepEqual(driver.list(), new Set(ids('box')));
    });

    prove('creating a layer over what a crash left begins anew', async (driver) => {
      await driver.create(layerId('box'), [], {});
      writeFileSync(join(await driver.mount(layerId('box'), chain([], true)), 'left'), 'x');
      await driver.create(layerId('box'), [], {});
      assert.deepEqual(readdirSync(await driver.mount(layerId('box'), chain([], true))), []);
    });

    prove('an unfinished layer is no layer, and a restart sweeps it', async (driver, reopen) => {
      const staging = await driver.stage(layerId('base'), []);
      unpackInto(staging.target, [{ path: 'file', content: 'x' }]);
      await driver.stage(layerId('base'), []);
      assert.deepEqual(driver.list(), new Set());
      const next = reopen();
      assert.deepEqual(next.list(), new Set());
      assert.equal(await next.sweep(), 2);
      assert.equal(await next.sweep(), 0);
    });

    prove('a discarded layer leaves nothing', async (driver) => {
      driver.discard(await driver.stage(layerId('base'), []));
      assert.equal(await driver.sweep(), 1);
      assert.deepEqual(driver.list(), new Set());
    });

    prove('knows after a restart what is mounted', async (driver, reopen) => {
      await seal(driver, 'base', [], [{ path: 'file' }]);
      await driver.create(layerId('box'), ids('base'), {});
      await driver.mount(layerId('box'), chain(['base'], true));
      await driver.mount(layerId('base'), chain([], false));
      const expected = new Set<LayerId>();
      if (driver.isMountNeeded({ isWritable: true })) expected.add(layerId('box'));
      if (driver.isMountNeeded({ isWritable: false })) expected.add(layerId('base'));
      assert.deepEqual(reopen().mounted(), expected);
    });

    prove('a chain of 125 layers is mounted', async (driver) => {
      const names: string[] = [];
      for (let depth = 0; depth < 125; depth++) {
        const name = `layer ${depth}`;
        const own: Member[] = depth % 31 === 0 ? [{ path: `file-${depth}`, content: 'own' }] : [];
        await seal(driver, name, names, [{ path: 'depth', content: String(depth) }, ...own]);
        names.unshift(name);
      }
      await driver.create(layerId('box'), ids(...names), {});
      const view = await driver.mount(layerId('box'), chain(names, true));
      assert.equal(readFileSync(join(view, 'depth'), 'utf8'), '124');
      assert.deepEqual(readdirSync(view).sort(), ['depth', 'file-0', 'file-124', 'file-31', 'file-62', 'file-93']);
    });

    prove('an option it does not have is refused', async (driver) => {
      await assert.rejects(driver.create(layerId('box'), [], { color: 'blue' }), { reason: 'BAD_OPTION' });
      assert.deepEqual(driver.list(), new Set());
    });
  });
}

function ids(...names: string[]): LayerId[] {
  return names.map(layerId);
}

function chain(ancestors: string[], isWritable: boolean): Chain {
  return { ancestors: ids(...ancestors), isWritable };
}

async function seal(driver: LayerDriver, name: string, ancestors: string[], members: Member[]): Promise<void> {
  const staging = await driver.stage(layerId(name), ids(...ancestors));
  unpackInto(staging.target, members);
  driver.seal(layerId(name), staging);
}

function unpackInto(target: Parameters<typeof createLayerUnpacker>[0], members: Member[]): void {
  using unpacker = createLayerUnpacker(target);
  const reader = createTarReader(unpacker);
  reader.write(archiveOf(...members));
  reader.end();
  unpacker.finish();
}

function changes(driver: LayerDriver, name: string, ancestors: string[]): string[] {
  const source = driver.difference(layerId(name), chain(ancestors, true));
  return Array.from(differences(source), ({ kind, path }) => `${kind} ${toText(path)}`);
}

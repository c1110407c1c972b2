import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { asFileOwner } from './credentials.ts';
import { closeDescriptor } from './libc.ts';
import { copyMount, createMounts, setIdMap, showMount } from './mounts.ts';
import { createNetworkNamespaces } from './namespaces.ts';
import { pinNetworkNamespace, pinUserNamespace, unpin, withUserNamespace } from './user-namespaces.ts';

const skip = process.geteuid?.() === 0 ? false : 'needs root';
const range = { containerId: 0, hostId: 500_000, count: 1000 };
const maps = { uids: [range], gids: [range] };

function folder(context: { after(work: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'longshore-userns-'));
  context.after(() => rmSync(path, { recursive: true }));
  return path;
}

suite('user namespaces', { skip }, () => {
  test('one is pinned, stays without a process, and goes when it is let go', async (context) => {
    const path = join(folder(context), 'user');
    await pinUserNamespace(path, maps);
    const { ino } = statSync(path);
    await pinUserNamespace(path, maps);
    assert.equal(statSync(path).ino, ino);
    unpin(path);
    assert.equal(existsSync(path), false);
    unpin(path);
  });

  test('a network namespace belongs to it, and is entered as any other', async (context) => {
    const directory = folder(context);
    const [user, network] = [join(directory, 'user'), join(directory, `net-${randomBytes(4).toString('hex')}`)];
    await pinUserNamespace(user, maps);
    try {
      await pinNetworkNamespace(network, user);
      const names = createNetworkNamespaces().run(network, () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
      assert.match(names, /^\s+lo:/m);
    } finally {
      unpin(network);
      unpin(user);
    }
  });

  test('a helper that cannot do it says why', async () => {
    await assert.rejects(pinNetworkNamespace('/tmp/never', '/no/such/namespace'), /nsenter failed: .*No such file/);
  });

  test('a mount with maps shows files as theirs, and takes new ones from those it maps alone', async (context) => {
    const directory = folder(context);
    const [plain, mapped] = [join(directory, 'plain'), join(directory, 'mapped')];
    for (const path of [plain, mapped]) mkdirSync(path, { mode: 0o777 });
    await withUserNamespace(maps, (descriptor) => {
      const tree = copyMount(plain);
      setIdMap(tree, descriptor, plain);
      showMount(tree, mapped);
      closeDescriptor(tree);
    });
    try {
      assert.equal(statSync(mapped).uid, 500_000);
      const make = () => closeSync(openSync(join(mapped, 'file'), 'wx'));
      assert.throws(make, { code: 'EOVERFLOW' });
      asFileOwner({ uid: 500_007, gid: 500_000 }, make);
      assert.deepEqual([statSync(join(mapped, 'file')).uid, statSync(join(plain, 'file')).uid], [500_007, 7]);
      assert.throws(make, { code: 'EEXIST' });
      // This thread is itself again.
      closeSync(openSync(join(plain, 'own'), 'wx'));
      assert.equal(statSync(join(plain, 'own')).uid, 0);
    } finally {
      createMounts().unmount(mapped, { detach: true });
    }
  });
});

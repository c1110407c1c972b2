import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { silentLogger } from '../../kit/log.ts';
import { dial } from '../../kit/rpc/dial.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/control.ts';
import { LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { afterwards } from './testing/cleanup.ts';
import { engineId, importRootfs, list, load } from './testing/graph-client.ts';
import { connectGraph, spawnService } from './testing/graph-process.ts';
import { classicArchive, imageOf } from './testing/image-archives.ts';
import { makeRoots } from './testing/running-graph.ts';
import { tarOf } from './testing/tar-writer.ts';

const present = existsSync(new URL('../graphdriver/main.ts', import.meta.url)) && existsSync('/bin/busybox');
const skip = !present && 'needs graphdriver and /bin/busybox';

/** Both services as processes on one root, the layers on vfs. */
async function withBoth(t: TestContext) {
  const roots = await makeRoots(t);
  spawnService(t, 'graphdriver', roots);
  spawnService(t, 'graph', roots);
  const endpoint = `unix://${roots.execRoot}/graphdriver.sock`;
  const channel = dial(endpoint, { role: 'test', log: silentLogger() });
  afterwards(t, () => channel.close());
  assert.ok(await channel.ready(20_000));
  const fence = { engineId, epoch: 1, bootId: '' };
  const driver = channel.client(ControlServiceDefinition);
  const layers = channel.client(LayerServiceDefinition);
  const { noncePath, nonce } = await driver.init({ fence, driver: 'vfs' });
  const graph = await connectGraph(t, roots.execRoot);
  await Array.fromAsync(graph.control.init({ fence, driver: 'vfs', graphdriverEndpoint: endpoint, noncePath, nonce }));
  afterwards(t, () => driver.drain({}));
  const count = async () => (await Array.fromAsync(layers.listLayers({}))).length;
  return { graph, layers, count };
}

test('an image of busybox is loaded, mounted, and removed with its layers', { skip }, async (t) => {
  const { graph, layers, count } = await withBoth(t);
  const busybox = await readFile('/bin/busybox');
  const image = imageOf(
    [
      [
        { name: 'bin/', type: '5', mode: 0o755 },
        { name: 'bin/busybox', body: busybox, mode: 0o755 },
      ],
      [{ name: 'etc/motd', body: 'hello' }],
    ],
    { tags: ['busybox:latest'] },
  );
  await load(graph, gzipSync(classicArchive([image]), { level: 1 }));
  assert.equal(await count(), 2);

  const { image: found } = await graph.images.getImage({ reference: 'busybox' });
  const [id, holder] = ['d'.repeat(64), 'c'.repeat(64)];
  await layers.createLayer({ id, parent: found?.topLayer ?? '' });
  const { path } = await layers.mountLayer({ id, holder });
  assert.ok(busybox.equals(await readFile(join(path, 'bin/busybox'))));
  assert.equal(await readFile(join(path, 'etc/motd'), 'utf8'), 'hello');

  await layers.unmountLayer({ id, holder });
  await layers.removeLayer({ id });
  await graph.images.removeImage({ reference: 'busybox' });
  assert.equal(await count(), 0);
});

test('a root filesystem is imported, and an archive that leaves it refused with nothing left', { skip }, async (t) => {
  const { graph, count } = await withBoth(t);
  await importRootfs(graph, gzipSync(tarOf([{ name: 'etc/motd', body: 'imported' }])), { repository: 'rootfs' });
  assert.equal(await count(), 1);
  await assert.rejects(importRootfs(graph, Buffer.from('no archive'.repeat(1000))), { reason: 'BAD_ARCHIVE' });
  await assert.rejects(
    importRootfs(
      graph,
      tarOf([{ name: 'link', type: '2', linkName: '/tmp' }, { name: 'link/out', body: 'x' }, { name: '../up' }]),
    ),
    { code: 'INVALID_ARGUMENT' },
  );
  assert.equal(await count(), 1);
  assert.equal((await list(graph)).length, 1);
});

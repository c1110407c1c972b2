import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createNetworkNamespaces } from './namespaces.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root to make network namespaces';
const namespaces = createNetworkNamespaces();
const here = (): string => readlinkSync('/proc/thread-self/ns/net');
const interfaces = (): string[] => readFileSync('/proc/thread-self/net/dev', 'utf8').match(/\S+(?=:)/g) ?? [];

function place() {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-netns-'));
  const path = join(directory, 'ns');
  return {
    path,
    [Symbol.dispose]() {
      namespaces.remove(path);
      rmSync(directory, { recursive: true });
    },
  };
}

suite('network namespaces', { skip }, () => {
  test('an action runs inside the namespace, where only loopback is, and comes back', () => {
    using pin = place();
    const home = here();
    namespaces.create(pin.path);
    assert.equal(here(), home);
    const [inside, names] = namespaces.run(pin.path, () => [here(), interfaces()] as const);
    assert.notEqual(inside, home);
    assert.ok(names.includes('lo') && !names.includes('eth0'));
    assert.equal(here(), home);
  });

  test('it comes back after an action that throws', () => {
    using pin = place();
    const home = here();
    namespaces.create(pin.path);
    assert.throws(() => {
      namespaces.run(pin.path, () => {
        throw new Error('inside');
      });
    }, /inside/);
    assert.equal(here(), home);
  });

  test('a run inside a run returns to the outer namespace', () => {
    using outer = place();
    using inner = place();
    namespaces.create(outer.path);
    namespaces.create(inner.path);
    namespaces.run(outer.path, () => {
      const before = here();
      assert.notEqual(namespaces.run(inner.path, here), before);
      assert.equal(here(), before);
    });
  });

  test('an action that returns a promise is refused', () => {
    using pin = place();
    const home = here();
    namespaces.create(pin.path);
    assert.throws(() => namespaces.run(pin.path, async () => {}), TypeError);
    assert.equal(here(), home);
  });

  test('creating again keeps the namespace; a leftover file without one gets one', () => {
    using pin = place();
    writeFileSync(pin.path, '');
    assert.equal(namespaces.exists(pin.path), false);
    assert.throws(() => namespaces.run(pin.path, here), { code: 'ENOENT' });
    namespaces.create(pin.path);
    const first = namespaces.run(pin.path, here);
    namespaces.create(pin.path);
    assert.equal(namespaces.run(pin.path, here), first);
  });

  test('removing takes the file away and may be repeated', () => {
    using pin = place();
    namespaces.create(pin.path);
    namespaces.remove(pin.path);
    namespaces.remove(pin.path);
    assert.equal(existsSync(pin.path), false);
    assert.equal(namespaces.exists(pin.path), false);
  });

  test('a worker thread enters a namespace without moving the main thread', async () => {
    using pin = place();
    const home = here();
    namespaces.create(pin.path);
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      const { readlinkSync } = require('node:fs');
      import(workerData.module).then(({ createNetworkNamespaces }) => {
        const here = () => readlinkSync('/proc/thread-self/ns/net');
        const inside = createNetworkNamespaces().run(workerData.path, here);
        parentPort.postMessage({ inside, after: here() });
      });`;
    const workerData = { module: import.meta.resolve('./namespaces.ts'), path: pin.path };
    const { promise, resolve, reject } = Promise.withResolvers<{ inside: string; after: string }>();
    const worker = new Worker(source, { eval: true, workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
    const { inside, after } = await promise;
    assert.equal(inside, namespaces.run(pin.path, here));
    assert.equal(after, home);
    await worker.terminate();
  });
});

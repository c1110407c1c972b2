import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import {
  bridgeName,
  type EngineHost,
  hostAddress,
  initialisedHost,
  needsRoot,
  sandboxId,
} from './engine-host.fixture.ts';

const request = (n: number) => ({
  id: sandboxId(n),
  mode: SandboxMode.SANDBOX_MODE_ENDPOINTS,
  endpoints: [{ network: 'bridge' }],
  ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 9000 + n }],
});

/** What stands in the kernel and on disk is exactly what the service says it has. */
async function assertConsistent(host: EngineHost): Promise<void> {
  const known = new Set<string>();
  for await (const { sandbox } of host.sandboxes.listSandboxes({})) known.add(sandbox?.id ?? '');
  const pinned = host.remains().namespaces.map((path) => path.slice(path.lastIndexOf('/') + 1));
  assert.deepEqual(new Set(pinned), known, 'namespaces');
  assert.deepEqual(new Set(readdirSync(host.files)), known, 'files');
  const published = host.run(host.hostPath, 'nft', 'list', 'ruleset').match(/tcp \. \d+ : /g) ?? [];
  assert.equal(published.length, known.size, 'published ports');
}

suite('a network service that dies', { skip: needsRoot }, () => {
  test('sandboxes and published ports go on without it, and are its own again after', async () => {
    await using host = await initialisedHost();
    await host.web(1, [{ hostPort: 8080 }]);
    const outside = host.actor(host.outsidePath);
    await host.kill();
    assert.match(await outside.ask('tcp', hostAddress, 8080), /^web1 /);
    await host.start();
    assert.match(await outside.ask('tcp', hostAddress, 8080), /^web1 /);
    assert.match(await host.actor(host.hostPath).ask('tcp', '::1', 8080), /^web1 /);
    await assert.rejects(host.actor(host.hostPath).serve('tcp', 8080), /EADDRINUSE/, 'the port is held again');
    await host.web(2, [{ hostPort: 8081 }]);
    await assertConsistent(host);
  });

  test('killed in the middle of creates and removals, it finishes or undoes each', async () => {
    await using host = await initialisedHost();
    for (const round of [1, 2, 3, 4, 5, 6]) {
      const ids = Array.from({ length: 12 }, (_, n) => round * 20 + n);
      const creates = ids.map((n) => host.sandboxes.createSandbox(request(n)));
      const removals = ids.slice(0, 6).map((n) => host.sandboxes.removeSandbox({ id: sandboxId(n - 20) }));
      const reached = Promise.allSettled([...creates, ...removals]);
      // Each round one create more is let through before the blow.
      await creates[round - 1];
      await host.kill();
      await reached;
      await host.start();
      await assertConsistent(host);
      for (const n of ids) await host.sandboxes.createSandbox(request(n));
      await assertConsistent(host);
    }
    const kept = sandboxId(120);
    const { missing } = await host.control.reconcileSandboxes({ keep: [kept, sandboxId(999)] });
    assert.deepEqual(missing, [sandboxId(999)]);
    await assertConsistent(host);
    await host.control.drain({});
    assert.deepEqual(host.remains(), { links: [], rules: [], namespaces: [] });
  });

  test('what lost its record is swept by the next start', async () => {
    await using host = await initialisedHost();
    const { sandbox } = await host.web(1, [{ hostPort: 8080 }]);
    await host.kill();
    const records = new DatabaseSync(host.records);
    records.exec('DELETE FROM address; DELETE FROM sandbox');
    records.close();
    await host.start();
    assert.deepEqual(host.remains().namespaces, []);
    assert.deepEqual(readdirSync(host.files), []);
    assert.equal(
      host.remains().links.some((name) => name.startsWith('veth')),
      false,
      'although a process is still inside',
    );
    assert.throws(() => statSync(sandbox.namespacePath), /ENOENT/);
  });

  test('a namespace that is gone is told as missing', async () => {
    await using host = await initialisedHost();
    const { sandbox } = await host.web(1);
    await host.web(2);
    host.run(host.hostPath, 'umount', sandbox.namespacePath);
    const { missing } = await host.control.reconcileSandboxes({ keep: [sandboxId(1), sandboxId(2)] });
    assert.deepEqual(missing, [sandboxId(1)]);
  });

  test('a bridge and rules that somebody took away are made again, and containers are on it again', async () => {
    await using host = await initialisedHost();
    await host.web(1, [{ hostPort: 8080 }]);
    await host.kill();
    host.run(host.hostPath, 'nft', 'flush', 'ruleset');
    host.run(host.hostPath, 'ip', 'link', 'del', bridgeName);
    await host.start();
    assert.match(await host.actor(host.outsidePath).ask('tcp', hostAddress, 8080), /^web1 /);
  });
});

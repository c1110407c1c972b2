import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createFakeLinux } from '../../kit/linux/fake.ts';
import { silentLogger } from '../../kit/log.ts';
import { dial } from '../../kit/rpc/dial.ts';
import { type Running, serviceConfig } from '../../kit/service.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/network/v1/control.ts';
import { SandboxMode, SandboxServiceDefinition } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { acceptForwarding, forwardComment, withdrawForwarding } from './forward-chain.ts';
import { start } from './service.ts';

const id = 'c'.repeat(64);
const request = { id, mode: SandboxMode.SANDBOX_MODE_ENDPOINTS, endpoints: [{ network: 'bridge' }] };

/** The service on a kernel in memory. */
async function onFakeKernel() {
  const root = mkdtempSync(join(tmpdir(), 'longshore-fake-'));
  const linux = createFakeLinux();
  const resolvConf = { main: join(root, 'resolv.conf'), behindStub: join(root, 'none') };
  writeFileSync(resolvConf.main, 'nameserver 192.0.2.53\n');
  const log = silentLogger();
  const config = serviceConfig({ role: 'network', dataRoot: join(root, 'data'), execRoot: join(root, 'exec'), log });
  const kernel = { ...linux, endUdpFlowsTo: () => {}, iptables: undefined };
  let running: Running = await start(config, { kernel, resolvConf, bootId: 'first' });
  const channel = dial(`unix://${config.execRoot}/network.sock`, { role: 'daemon', log });
  const control = channel.client(ControlServiceDefinition);
  let epoch = 0;
  return {
    calls: linux.calls,
    kernel,
    control,
    sandboxes: channel.client(SandboxServiceDefinition),
    init: () =>
      control.init({
        fence: { engineId: 'ab'.repeat(16), epoch: ++epoch },
        bridgeName: 'br0',
        icc: true,
        iptables: true,
        ipForward: true,
      }),
    async restart(bootId: string) {
      await running.stop();
      running = await start(config, { kernel, resolvConf, bootId });
    },
    async [Symbol.asyncDispose]() {
      channel.close();
      await running.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

suite('the network service, whatever the kernel refuses', () => {
  for (const refused of ['namespaces.create', 'rtnetlink.apply', 'nftables.run']) {
    test(`a sandbox that fails at ${refused} leaves nothing, and the next try works`, async () => {
      await using service = await onFakeKernel();
      await service.init();
      // Publishing goes on after one refusal, by making the whole table anew; so that is refused too.
      service.calls.failNext(refused, new Error('refused'));
      const ports = refused === 'nftables.run' ? [] : [{ protocol: 'tcp', containerPort: 80 }];
      await service.sandboxes.createSandbox({ ...request, ports }).catch(() => undefined);
      const again = await service.sandboxes.createSandbox({ ...request, ports });
      assert.equal(again.sandbox?.endpoints.length, 1);
      await service.sandboxes.removeSandbox({ id });
      assert.deepEqual((await service.control.reconcileSandboxes({ keep: [id] })).missing, [id]);
    });

    test(`an Init that fails at ${refused} is not remembered`, async () => {
      await using service = await onFakeKernel();
      service.calls.failNext(refused, new Error('refused'));
      const failed = await service.init().then(
        () => false,
        () => true,
      );
      assert.equal(failed, refused !== 'namespaces.create', 'Init makes no namespace');
      await service.init();
    });
  }

  test('a bridge whose address is refused is not left behind', async () => {
    await using service = await onFakeKernel();
    service.calls.failNext('nftables.run', new Error('no nft'));
    await assert.rejects(service.init(), /cannot set up the firewall rules: no nft/);
    assert.deepEqual(
      service.kernel.rtnetlink.links().filter((link) => link.kind === 'bridge'),
      [],
    );
  });

  test('after the host has been restarted sandboxes are gone, and their addresses and ports free', async () => {
    await using service = await onFakeKernel();
    await service.init();
    await service.sandboxes.createSandbox({ ...request, ports: [{ protocol: 'tcp', containerPort: 80 }] });
    await service.restart('first');
    assert.equal((await service.sandboxes.getSandbox({ id })).sandbox?.id, id);
    await service.restart('second');
    await assert.rejects(service.sandboxes.getSandbox({ id }), /no such sandbox/);
  });
});

suite('rules in the FORWARD chain', () => {
  /** iptables as it prints and takes rules of one chain. */
  function fakeIptables(...rules: string[]) {
    const iptables = async ([, command, , ...rest]: readonly string[]) => {
      const rule = rest.join(' ').replace(/--comment (\S+)/, '--comment "$1"');
      if (command === '-S') return ['-P FORWARD DROP', ...rules.map((each) => `-A FORWARD ${each}`)].join('\n');
      if (command === '-I') rules.unshift(rule);
      if (command === '-D') rules.splice(rules.indexOf(rule), 1);
      return '';
    };
    return { rules, kernel: { ...createFakeLinux(), endUdpFlowsTo: () => {}, iptables } };
  }
  const comment = forwardComment('e1');
  const foreign = '-i docker0 -o docker0 -j ACCEPT';

  test('are inserted once, follow the bridge, and go; others stay', async () => {
    const { rules, kernel } = fakeIptables(foreign);
    await acceptForwarding(kernel, 'br0', comment);
    await acceptForwarding(kernel, 'br0', comment);
    assert.equal(rules.length, 3);
    assert.equal(rules[2], foreign);
    await acceptForwarding(kernel, 'br1', comment);
    assert.deepEqual(
      rules.filter((rule) => rule.includes('br0')),
      [],
    );
    assert.equal(rules.length, 3);
    await withdrawForwarding(kernel, comment);
    assert.deepEqual(rules, [foreign]);
  });
});

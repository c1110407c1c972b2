import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { assertRepeatable } from '../common/repeats.ts';
import { newId, type Target } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { attached, type Current } from './current.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

/** A container's network stack, from its making to its end. */
export function sandboxSuite(target: Target, current: Current): void {
  const create = async (request: Parameters<ReturnType<Current>['sandboxes']['createSandbox']>[0]) => {
    const { outcome, sandbox } = await current().sandboxes.createSandbox(request);
    assert(sandbox);
    return { outcome, sandbox, endpoint: sandbox.endpoints[0] };
  };
  const remove = async (...ids: string[]) => {
    for (const id of ids) await current().sandboxes.removeSandbox({ id });
  };
  const isAbsent = (id: string) => refused(current().sandboxes.getSandbox({ id }), 'NOT_FOUND', 'SANDBOX_NOT_FOUND');
  const needsFiles = { skip: target.isLocal !== true };

  describe('network: sandboxes', () => {
    test('CreateSandbox makes namespace, endpoint and files, and says where they are', async () => {
      const request = { ...attached(), hostname: 'web' };
      const { outcome, sandbox, endpoint } = await create(request);
      assert.equal(outcome, OUTCOME_DONE);
      assert.deepEqual([sandbox.id, sandbox.mode], [request.id, SandboxMode.SANDBOX_MODE_ENDPOINTS]);
      const { namespacePath, resolvConfPath, hostsPath, hostnamePath } = sandbox;
      for (const path of [namespacePath, resolvConfPath, hostsPath, hostnamePath]) assert.match(path, /^\//);
      assert.match(endpoint?.id ?? '', /^[0-9a-f]{64}$/);
      assert.match(endpoint?.macAddress ?? '', /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
      assert.deepEqual([endpoint?.networkName, endpoint?.ipv4Prefix], ['bridge', 28]);
      assert.notEqual(endpoint?.ipv4Address, endpoint?.ipv4Gateway);
      assert.deepEqual((await current().sandboxes.getSandbox({ id: request.id })).sandbox, sandbox);
      await remove(request.id);
    });

    test('repeating it with the same id and content gives the same answer and ALREADY', async () => {
      const request = attached();
      const { sandbox } = await create(request);
      const again = await create(request);
      assert.equal(again.outcome, OUTCOME_ALREADY);
      assert.deepEqual(again.sandbox, sandbox);
      await remove(request.id);
    });

    test('the same id with other content is ALREADY_EXISTS, SANDBOX_EXISTS, and the sandbox stays as it is', async () => {
      const request = attached();
      const { sandbox } = await create(request);
      await refused(create({ ...request, hostname: 'other' }), 'ALREADY_EXISTS', 'SANDBOX_EXISTS');
      assert.deepEqual((await current().sandboxes.getSandbox({ id: request.id })).sandbox, sandbox);
      await remove(request.id);
    });

    test('a repeat by request id gets the same answer; the id with another request is REQUEST_ID_REUSED', async () => {
      const { sandboxes } = current();
      const [request, other] = [attached(), attached()];
      const created = await assertRepeatable(sandboxes.createSandbox, request, other);
      assert.equal(created.outcome, OUTCOME_DONE);
      const removed = await assertRepeatable(sandboxes.removeSandbox, { id: request.id }, { id: other.id });
      assert.equal(removed.outcome, OUTCOME_DONE);
    });

    test('an id that is not 64 hex digits, or no mode, is INVALID_ARGUMENT', async () => {
      await refused(create({ ...attached(), id: 'short' }), 'INVALID_ARGUMENT');
      await refused(create({ id: newId() }), 'INVALID_ARGUMENT');
    });

    test('a network that is not there is NOT_FOUND, NETWORK_NOT_FOUND, and nothing is left', async () => {
      const request = { ...attached(), endpoints: [{ network: 'no-such-network' }] };
      await refused(create(request), 'NOT_FOUND', 'NETWORK_NOT_FOUND');
      await isAbsent(request.id);
    });

    test('an address and a MAC asked for are given', async () => {
      const { network } = await current().networks.getNetwork({ network: 'bridge' });
      const ipv4Address = (network?.ipv4Gateway ?? '').replace(/\d+$/, '9');
      const macAddress = '02:42:00:00:00:99';
      const request = { ...attached(), endpoints: [{ network: 'bridge', ipv4Address, macAddress }] };
      const { endpoint } = await create(request);
      assert.deepEqual([endpoint?.ipv4Address, endpoint?.macAddress], [ipv4Address, macAddress]);
      const second = attached({ ipv4Address });
      const refusal = await refused(create(second), 'ALREADY_EXISTS', 'ADDRESS_TAKEN');
      assert.notEqual(refusal.message, '');
      await isAbsent(second.id);
      await remove(request.id);
    });

    test('when no address is left it is RESOURCE_EXHAUSTED, NO_ADDRESS_LEFT; a removal frees one', async () => {
      const requests = Array.from({ length: 13 }, () => attached());
      const addresses = new Set<string | undefined>();
      for (const request of requests) addresses.add((await create(request)).endpoint?.ipv4Address);
      assert.equal(addresses.size, 13);
      const late = attached();
      await refused(create(late), 'RESOURCE_EXHAUSTED', 'NO_ADDRESS_LEFT');
      await isAbsent(late.id);
      await remove(requests[4]?.id ?? '');
      assert.equal((await create(late)).outcome, OUTCOME_DONE);
      await remove(late.id, ...requests.map(({ id }) => id));
    });

    test('UpdateSandbox gives it other extra hosts, by which CreateSandbox knows it then; absent is success', async () => {
      const { sandboxes } = current();
      const request = { ...attached(), extraHosts: [{ address: '192.0.2.7', names: ['seven'] }] };
      const { sandbox } = await create(request);
      const changed = { id: request.id, extraHosts: [{ address: '192.0.2.8', names: ['eight'] }] };
      const none = { id: request.id, extraHosts: [] };
      assert.equal((await assertRepeatable(sandboxes.updateSandbox, changed, none)).outcome, OUTCOME_DONE);
      assert.equal((await sandboxes.updateSandbox(changed)).outcome, OUTCOME_ALREADY);
      assert.deepEqual((await sandboxes.getSandbox({ id: request.id })).sandbox, sandbox);
      await target.restart?.();
      const again = await create({ ...request, ...changed });
      assert.deepEqual([again.outcome, again.sandbox], [OUTCOME_ALREADY, sandbox]);
      await refused(create(request), 'ALREADY_EXISTS', 'SANDBOX_EXISTS');
      const wrong = { id: request.id, extraHosts: [{ address: 'nonsense', names: ['nine'] }] };
      await refused(current().sandboxes.updateSandbox(wrong), 'INVALID_ARGUMENT');
      await remove(request.id);
      assert.equal((await current().sandboxes.updateSandbox(changed)).outcome, OUTCOME_ABSENT);
    });

    test('RemoveSandbox takes it down; absent is success', async () => {
      const request = attached();
      await create(request);
      assert.equal((await current().sandboxes.removeSandbox({ id: request.id })).outcome, OUTCOME_DONE);
      await isAbsent(request.id);
      assert.equal((await current().sandboxes.removeSandbox({ id: request.id })).outcome, OUTCOME_ABSENT);
    });

    test('ListSandboxes gives each once', async () => {
      const [one, two] = [attached(), attached()];
      for (const request of [one, two]) await create(request);
      const listed = await Array.fromAsync(current().sandboxes.listSandboxes({}));
      assert.deepEqual(listed.map(({ sandbox }) => sandbox?.id).toSorted(), [one.id, two.id].toSorted());
      await remove(one.id, two.id);
    });

    test('ReconcileSandboxes makes the set exactly this one, and says what went and what is missing', async () => {
      const [kept, gone, unknown] = [attached(), attached(), newId()];
      for (const request of [kept, gone]) await create(request);
      const answer = await current().control.reconcileSandboxes({ keep: [kept.id, unknown] });
      assert.deepEqual([answer.removed, answer.missing], [[gone.id], [unknown]]);
      await isAbsent(gone.id);
      await remove(kept.id);
    });

    test('Drain takes down all but the sandboxes in `keep`', async () => {
      const { control, reinit } = current();
      const [kept, gone] = [attached(), attached()];
      const { sandbox } = await create(kept);
      await create(gone);
      assert.deepEqual((await control.drain({ keep: [kept.id] })).problems, []);
      await reinit();
      await isAbsent(gone.id);
      assert.deepEqual((await current().sandboxes.getSandbox({ id: kept.id })).sandbox, sandbox);
      await remove(kept.id);
    });

    test('sandboxes stay when the service restarts', { skip: target.restart === undefined }, async () => {
      const request = { ...attached(), ports: [{ protocol: 'tcp', containerPort: 80 }] };
      const { sandbox } = await create(request);
      await target.restart?.();
      assert.deepEqual((await current().sandboxes.getSandbox({ id: request.id })).sandbox, sandbox);
      const again = await create(request);
      assert.deepEqual([again.outcome, again.sandbox], [OUTCOME_ALREADY, sandbox]);
      const next = attached();
      assert.notEqual((await create(next)).endpoint?.ipv4Address, sandbox.endpoints[0]?.ipv4Address);
      await remove(request.id, next.id);
    });

    test('the namespace has the interface with its address', needsFiles, async () => {
      const request = attached();
      const { sandbox, endpoint } = await create(request);
      const inside = (path: string) =>
        execFileSync('nsenter', [`--net=${sandbox.namespacePath}`, 'cat', path], { encoding: 'utf8' });
      assert.match(inside('/proc/net/dev'), new RegExp(`\\b${endpoint?.interface}:`));
      assert(inside('/proc/net/fib_trie').includes(endpoint?.ipv4Address ?? 'none'));
      await remove(request.id);
      assert.equal(existsSync(sandbox.namespacePath), false);
    });

    test('the files have the names, the resolvers and the extra hosts', needsFiles, async () => {
      const request = {
        ...attached(),
        hostname: 'web',
        domainname: 'example.test',
        dnsServers: ['192.0.2.53'],
        dnsSearch: ['example.test'],
        dnsOptions: ['ndots:2'],
        extraHosts: [
          { address: '192.0.2.7', names: ['seven'] },
          { address: 'host-gateway', names: ['host.internal'] },
        ],
      };
      const { sandbox, endpoint } = await create(request);
      const hosts = await readFile(sandbox.hostsPath, 'utf8');
      const lineOf = (name: string) => hosts.split('\n').find((line) => line.split(/\s+/).includes(name));
      assert.match(lineOf('web') ?? '', new RegExp(`^${endpoint?.ipv4Address}\\s+web.example.test`));
      assert.match(lineOf('seven') ?? '', /^192\.0\.2\.7\s/);
      assert.match(lineOf('host.internal') ?? '', new RegExp(`^${endpoint?.ipv4Gateway}\\s`));
      assert.match(lineOf('localhost') ?? '', /^(127\.0\.0\.1|::1)\s/);
      assert.equal((await readFile(sandbox.hostnamePath, 'utf8')).trim(), 'web');
      const resolvConf = await readFile(sandbox.resolvConfPath, 'utf8');
      for (const line of ['nameserver 192.0.2.53', 'search example.test', 'options ndots:2']) {
        assert(resolvConf.split('\n').includes(line), line);
      }
      const { ino } = await stat(sandbox.hostsPath);
      await current().sandboxes.updateSandbox({ id: request.id, extraHosts: request.extraHosts.slice(1) });
      assert.equal(await readFile(sandbox.hostsPath, 'utf8'), hosts.replace(/^.*\bseven\n/m, ''));
      assert.equal((await stat(sandbox.hostsPath)).ino, ino, 'a container has this file mounted');
      await remove(request.id);
      assert.equal(existsSync(sandbox.hostsPath), false);
    });
  });
}

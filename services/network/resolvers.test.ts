import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { InitRequest } from '../../proto/gen/longshore/network/v1/control.ts';
import { SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { formatResolvConf, parseResolvConf } from './resolvers.ts';
import { resolversFor } from './sandbox-resolvers.ts';

const noWishes = {
  mode: SandboxMode.SANDBOX_MODE_ENDPOINTS,
  dnsServers: [],
  dnsSearch: [],
  dnsOptions: [],
};

function hostWith(main: string, behindStub?: string) {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-resolv-'));
  const paths = { main: join(directory, 'resolv.conf'), behindStub: join(directory, 'behind') };
  writeFileSync(paths.main, main);
  if (behindStub !== undefined) writeFileSync(paths.behindStub, behindStub);
  return { paths, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

suite('resolv.conf', () => {
  test('is read as resolv.conf(5) says', () => {
    const text = [
      '# nameserver 1.1.1.1',
      'nameserver 192.0.2.1 # first',
      'nameserver fe80::1%eth0',
      'nameserver nonsense',
      'search a.test',
      'domain b.test',
      'search c.test d.test',
      'options ndots:2',
      'options timeout:1 rotate',
    ].join('\n');
    assert.deepEqual(parseResolvConf(text), {
      servers: ['192.0.2.1', 'fe80::1%eth0'],
      search: ['c.test', 'd.test'],
      options: ['ndots:2', 'timeout:1', 'rotate'],
    });
  });

  test('of a sandbox has the host’s servers but those on its loopback', () => {
    using host = hostWith('nameserver 127.0.0.1\nnameserver ::1\nnameserver 192.0.2.1\nsearch a.test\n');
    const resolvers = resolversFor(noWishes, InitRequest.create(), host.paths);
    assert.equal(formatResolvConf(resolvers), 'nameserver 192.0.2.1\nsearch a.test\n');
  });

  test('of a sandbox on a host with a local stub has the servers behind the stub', () => {
    using host = hostWith('nameserver 127.0.0.53\noptions edns0\n', 'nameserver 192.0.2.8\n');
    const resolvers = resolversFor(noWishes, InitRequest.create(), host.paths);
    assert.equal(formatResolvConf(resolvers), 'nameserver 192.0.2.8\noptions edns0\n');
  });

  test('of a sandbox has public servers where none of the host’s can be reached', () => {
    using host = hostWith('nameserver 127.0.0.1\n');
    const { servers } = resolversFor(noWishes, InitRequest.create(), host.paths);
    assert.deepEqual(servers, ['8.8.8.8', '8.8.4.4']);
  });

  test('in the host’s own namespace its loopback resolver is kept', () => {
    using host = hostWith('nameserver 127.0.0.53\n');
    const request = { ...noWishes, mode: SandboxMode.SANDBOX_MODE_HOST };
    assert.deepEqual(resolversFor(request, InitRequest.create(), host.paths).servers, ['127.0.0.53']);
  });

  test('the container’s wishes go before the engine’s, those before the host’s', () => {
    using host = hostWith('nameserver 192.0.2.1\nsearch host.test\noptions rotate\n');
    const policy = InitRequest.create({ dnsServers: ['192.0.2.2'], dnsSearch: ['engine.test'] });
    const request = { ...noWishes, dnsServers: ['192.0.2.3'] };
    assert.deepEqual(resolversFor(request, policy, host.paths), {
      servers: ['192.0.2.3'],
      search: ['engine.test'],
      options: ['rotate'],
    });
  });

  test('a search list of a dot is none', () => {
    assert.equal(formatResolvConf({ servers: [], search: ['.'], options: [] }), '');
  });
});

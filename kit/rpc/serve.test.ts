import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createLogger, silentLogger } from '../log.ts';
import type { TlsFiles } from '../service.ts';
import { dial } from './dial.ts';
import { checkHealth, createOwnHealth, watchHealth } from './health.ts';
import { clientOf, contract, failure, pair as openPair, plain, ways } from './pair.ts';
import { serve, service } from './serve.ts';

test('a peer that is down is waited for, then named', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kit-rpc-'));
  const endpoint = `unix://${dir}/volume.sock`;
  const channel = dial(endpoint, { role: 'daemon', log: silentLogger() });
  try {
    const began = Date.now();
    const error = await failure(clientOf(channel).getVolume({ name: 'x' }));
    assert.equal(error.code, 'UNAVAILABLE');
    assert.equal(error.reason, 'SERVICE_UNAVAILABLE');
    assert.equal(error.message, `volume does not answer at ${endpoint}`);
    const took = Date.now() - began;
    assert(took >= 1900 && took < 3500, `${took} ms`);

    const waiting = clientOf(channel).getVolume({ name: 'late' });
    const services = [service(contract, plain)];
    const served = await serve({ role: 'volume', listen: [endpoint], log: silentLogger(), services });
    assert.equal((await waiting).volume?.name, 'late');
    await served.stop();

    const again = await serve({ role: 'volume', listen: [endpoint], log: silentLogger(), services });
    assert.equal((await clientOf(channel).getVolume({ name: 'back' })).volume?.name, 'back');
    await again.stop();
  } finally {
    channel.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('the socket is 0660 and a stale one is replaced, a living one and a file are not', async () => {
  await using it = await openPair({}, { group: '0' });
  const path = join(it.dir, 'volume.sock');
  assert.equal(statSync(path).mode & 0o7777, 0o660);
  const services = [service(contract, plain)];
  const other = { role: 'volume', log: silentLogger(), services } as const;
  const used = await failure(serve({ ...other, listen: [`unix://${path}`] }));
  assert.equal(used.reason, 'SOCKET_IN_USE');
  assert.equal((await it.client.getVolume({ name: 'x' })).volume?.name, 'x');

  const file = join(it.dir, 'file');
  writeFileSync(file, 'kept');
  assert.equal((await failure(serve({ ...other, listen: [`unix://${file}`] }))).reason, 'NOT_A_SOCKET');
  assert(existsSync(file));

  // A listener that is closed leaves no file behind, so a killed one is imitated by moving its socket aside first.
  const stale = join(it.dir, 'stale.sock');
  const dead = createNetServer().listen(join(it.dir, 'born.sock'));
  await new Promise((resolve) => dead.once('listening', resolve));
  renameSync(join(it.dir, 'born.sock'), stale);
  await new Promise((resolve) => dead.close(resolve));
  const served = await serve({ ...other, listen: [`unix://${stale}`] });
  await served.stop();
});

test('TCP is for loopback unless there is TLS', async () => {
  await using it = await openPair({}, { listen: ['tcp://127.0.0.1:0'] });
  assert.match(it.channel.endpoint, /^dns:\/\/\/127\.0\.0\.1:[1-9]\d+$/);
  assert.equal((await it.client.getVolume({ name: 'tcp' })).volume?.name, 'tcp');
  const wide = serve({ role: 'volume', log: silentLogger(), services: [], listen: ['tcp://0.0.0.0:0'] });
  assert.equal((await failure(wide)).reason, 'PLAINTEXT_BEYOND_LOOPBACK');
  assert.throws(
    () => dial('dns:///192.0.2.1:7000', { role: 'daemon', log: silentLogger() }),
    /readable on the network/,
  );
});

test('beyond loopback both ends show a certificate of one authority, or nothing is said', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kit-tls-'));
  try {
    const tls = certificates(dir);
    await using it = await openPair({}, { listen: ['tcp://127.0.0.1:0'], tls });
    const known = dial(it.channel.endpoint, { role: 'daemon', log: silentLogger(), tls });
    assert.equal((await clientOf(known).getVolume({ name: 'tls' })).volume?.name, 'tls');
    known.close();
    assert.equal((await failure(it.client.getVolume({ name: 'plain' }, { deadlineMs: 500 }))).code, 'UNAVAILABLE');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

/** An authority and one certificate for both ends, by openssl(1). */
function certificates(dir: string): TlsFiles {
  const at = (name: string) => join(dir, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  openssl('req', '-x509', ...newKey, '-subj', '/CN=authority', '-keyout', at('ca.key'), '-out', at('ca.pem'));
  const names = ['-subj', '/CN=longshore', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key')];
  openssl('req', '-x509', ...newKey, ...names, ...signed, '-keyout', at('key.pem'), '-out', at('cert.pem'));
  return { ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem') };
}

for (const [how, options] of ways) {
  const pair: typeof openPair = (implementation, more) => openPair(implementation, { ...options(), ...more });

  describe(how, () => {
    test('a stop lets a call in progress end, and ends streams as UNAVAILABLE', async () => {
      const entered = Promise.withResolvers<void>();
      const finish = Promise.withResolvers<void>();
      await using it = await pair({
        async getVolume() {
          entered.resolve();
          await finish.promise;
          return { volume: { name: 'done' } };
        },
        async *watchVolumes(_request, { signal }) {
          yield {};
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        },
      });
      const call = it.client.getVolume({ name: 'x' });
      const opened = Promise.withResolvers<void>();
      const stream = failure(
        (async () => {
          for await (const _ of it.client.watchVolumes({})) opened.resolve();
        })(),
      );
      await Promise.all([entered.promise, opened.promise]);
      const stopped = it.served.stop();
      const cut = await stream;
      assert.equal(cut.code, 'UNAVAILABLE');
      assert.equal(cut.message, 'volume is stopping');
      finish.resolve();
      assert.equal((await call).volume?.name, 'done');
      await stopped;
      assert(!existsSync(join(it.dir, 'volume.sock')), 'the socket is left behind');
    });

    test('health tells the process from its services, and changes are seen', async () => {
      const health = createOwnHealth();
      await using it = await pair({}, { health });
      const name = contract.fullName;
      assert.equal(await checkHealth(it.channel, '', 2000), 'SERVING');
      assert.equal(await checkHealth(it.channel, name, 2000), 'NOT_SERVING');
      assert.equal(await checkHealth(it.channel, 'longshore.none', 2000), 'UNKNOWN');
      const enough = new AbortController();
      const states: string[] = [];
      await assert.rejects(async () => {
        for await (const state of watchHealth(it.channel, name, enough.signal)) {
          states.push(state);
          if (state === 'NOT_SERVING') health.set(true, contract);
          else enough.abort();
        }
      }, /abort/i);
      assert.deepEqual(states, ['NOT_SERVING', 'SERVING']);
    });

    test('what health was told before a service answers is what the first caller hears', async () => {
      const health = createOwnHealth();
      health.set(true, contract);
      await using it = await pair({}, { health });
      assert.equal(await checkHealth(it.channel, contract.fullName, 2000), 'SERVING');
    });

    test('a message of more than the limit is refused, one below it is not', async () => {
      await using it = await pair({
        async getVolume({ name }) {
          return { volume: { name: String(name.length) } };
        },
      });
      const big = 'x'.repeat(15 * 1024 * 1024);
      assert.equal((await it.client.getVolume({ name: big })).volume?.name, String(big.length));
      const error = await failure(it.client.getVolume({ name: `${big}${big}` }));
      assert.equal(error.code, 'RESOURCE_EXHAUSTED');
    });

    test('one debug line tells of a call', async () => {
      const lines: string[] = [];
      const log = createLogger({ role: 'volume', level: 'debug', format: 'json', write: (line) => lines.push(line) });
      await using it = await pair({}, { log });
      await it.client.getVolume({ name: 'x' }, { requestId: 'r9' });
      const { method, caller, request, code, ms } = JSON.parse(lines[0] ?? '{}');
      assert.deepEqual(
        [method, caller, request, code],
        ['longshore.volume.v1.VolumeService/GetVolume', 'daemon', 'r9', 'OK'],
      );
      assert.equal(typeof ms, 'number');
    });
  });
}

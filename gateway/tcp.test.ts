import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '../kit/log.ts';
import { dial } from '../kit/rpc/dial.ts';
import type { TlsFiles } from '../kit/service.ts';
import { SystemServiceDefinition } from '../proto/gen/longshore/daemon/v1/system.ts';
import { dockerAt } from './testing/docker.ts';
import { type Owners, startEngine } from './testing/engine.ts';

const owners: Owners = { system: { getVersion: async () => ({ version: '0.1.0' }) } };

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

test('on loopback the engine may be spoken to in plain text', async (t) => {
  const port = await freePort();
  await startEngine(t, owners, { host: `tcp://127.0.0.1:${port}` });
  const ran = await dockerAt({ DOCKER_HOST: `tcp://127.0.0.1:${port}` }, ['version', '-f', '{{.Server.Version}}']);
  assert.equal(ran.stdout, '0.1.0\n', ran.stderr);
});

test('with certificates only who shows one is answered, by REST and by gRPC', async (t) => {
  const [port, { tls, directory }] = await Promise.all([freePort(), certificates(t)]);
  await startEngine(t, owners, { host: `tcp://127.0.0.1:${port}`, tls });
  const version = ['version', '-f', '{{.Server.Version}}'];
  const host = { DOCKER_HOST: `tcp://127.0.0.1:${port}` };
  const known = await dockerAt({ ...host, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: directory }, version);
  assert.equal(known.stdout, '0.1.0\n', known.stderr);
  assert.notEqual((await dockerAt(host, version)).code, 0);

  const channel = dial(`dns:///127.0.0.1:${port}`, { role: 'client', log: silentLogger(), tls });
  t.after(() => channel.close());
  assert.equal((await channel.client(SystemServiceDefinition).getVersion({})).version, '0.1.0');
});

/** An authority and one certificate for both ends, by openssl(1), under the names that Docker's client looks for. */
async function certificates(t: TestContext): Promise<{ tls: TlsFiles; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'longshore-tls-'));
  t.after(() => rm(directory, { recursive: true }));
  const at = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  openssl('req', '-x509', ...newKey, '-subj', '/CN=authority', '-keyout', at('ca.key'), '-out', at('ca.pem'));
  const names = ['-subj', '/CN=longshore', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key')];
  openssl('req', '-x509', ...newKey, ...names, ...signed, '-keyout', at('key.pem'), '-out', at('cert.pem'));
  return { tls: { ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem') }, directory };
}

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '../log.ts';
import { dial } from './dial.ts';

/** A channel to a peer that speaks HTTP/2 and does as it likes with a call. */
async function peerThat(t: TestContext, answer: (call: ServerHttp2Stream) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'kit-ready-'));
  const server = createServer().on('stream', answer);
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  await once(server.listen(join(folder, 'socket')), 'listening');
  const channel = dial(`unix://${folder}/socket`, { role: 'client', log: silentLogger() });
  t.after(() => {
    channel.close();
    for (const session of sessions) session.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return channel;
}

const unimplemented = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' };

test('a peer that takes a connection and answers nothing is not ready', async (t) => {
  const channel = await peerThat(t, () => {});
  assert.equal(await channel.ready(200), false);
});

test('a connection that ends under the first call is not the peer: the next one is asked', async (t) => {
  let calls = 0;
  const channel = await peerThat(t, (call) => {
    calls += 1;
    if (calls === 1) call.session?.destroy();
    else call.respond(unimplemented, { endStream: true });
  });
  assert.equal(await channel.ready(5_000), true);
  assert.equal(calls, 2);
});

test('one that knows nothing of health is there too', async (t) => {
  const channel = await peerThat(t, (call) => call.respond(unimplemented, { endStream: true }));
  assert.equal(await channel.ready(5_000), true);
});

test('where nobody listens there is nobody', async () => {
  const channel = dial('unix:///nowhere/socket', { role: 'client', log: silentLogger() });
  assert.equal(await channel.ready(100), false);
  channel.close();
});

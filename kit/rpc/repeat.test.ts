import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '../log.ts';
import { currentCall } from './call.ts';
import { dial } from './dial.ts';
import { clientOf, contract, failure, plain } from './pair.ts';
import { serve, service } from './serve.ts';

/** A peer that dies as soon as a call of its contract has reached it; gives the call's request id. */
async function dyingPeer(t: TestContext, repeatMs: number) {
  const dir = mkdtempSync(join(tmpdir(), 'kit-repeat-'));
  const path = join(dir, 'volume.sock');
  const sessions: ServerHttp2Session[] = [];
  const died = Promise.withResolvers<string>();
  const peer = createServer();
  peer.on('session', (session) => sessions.push(session));
  peer.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    if (headers[':path']?.startsWith('/grpc.health.')) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true });
      return;
    }
    peer.close();
    for (const session of sessions) session.destroy();
    died.resolve(String(headers['request-id']));
  });
  peer.listen(path);
  await once(peer, 'listening');
  const channel = dial(`unix://${path}`, { role: 'gateway', log: silentLogger(), repeatMs });
  assert.ok(await channel.ready(2_000));
  t.after(() => {
    channel.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { endpoint: `unix://${path}`, client: clientOf(channel), died: died.promise };
}

test('a call that the peer’s death cut off is repeated under its request id', async (t) => {
  const { endpoint, client, died } = await dyingPeer(t, 5_000);
  const answer = client.getVolume({ name: 'x' });
  const first = await died;
  let second: string | undefined;
  const served = await serve({
    role: 'volume',
    listen: [endpoint],
    log: silentLogger(),
    services: [
      service(contract, {
        ...plain,
        async getVolume({ name }) {
          second = currentCall()?.requestId;
          return { volume: { name } };
        },
      }),
    ],
  });
  t.after(() => served.stop());
  assert.equal((await answer).volume?.name, 'x');
  assert.equal(second, first);
});

test('without patience it fails at once, and says who went away', async (t) => {
  const { client } = await dyingPeer(t, 0);
  const error = await failure(client.getVolume({ name: 'x' }));
  assert.equal(error.reason, 'SERVICE_UNAVAILABLE');
  assert.match(error.message, /volume at .* went away during GetVolume/);
});

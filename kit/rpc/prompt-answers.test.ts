import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  GetVolumeResponse,
  ListVolumesResponse,
  VolumeServiceDefinition,
} from '../../proto/gen/longshore/volume/v1/volume.ts';
import { silentLogger } from '../log.ts';
import { dial } from './dial.ts';
import { failure } from './pair.ts';

/** A client, and a server of bare HTTP/2 that does with each call what it is told. */
async function bare(t: TestContext, serve: (stream: ServerHttp2Stream) => void) {
  const directory = mkdtempSync(join(tmpdir(), 'kit-rpc-'));
  const path = join(directory, 'volume.sock');
  const server = createServer().on('stream', serve).listen(path);
  await once(server, 'listening');
  const channel = dial(`unix://${path}`, { role: 'daemon', log: silentLogger() });
  t.after(() => {
    channel.close();
    server.close();
    rmSync(directory, { recursive: true });
  });
  return channel.client(VolumeServiceDefinition);
}

const headers = { ':status': 200, 'content-type': 'application/grpc+proto' };

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

const volume = (name: string) => ({ volume: { name } });

test('a call is over with its answer, and is not cut off: its status may come later', async (t) => {
  const streams: ServerHttp2Stream[] = [];
  const client = await bare(t, (stream) => {
    streams.push(stream);
    stream.respond(headers, { waitForTrailers: true });
    stream.write(framed(GetVolumeResponse.encode(GetVolumeResponse.fromPartial(volume('data'))).finish()));
  });
  const { volume: found } = await client.getVolume({ name: 'data' });
  assert.equal(found?.name, 'data');
  const [stream] = streams;
  assert.ok(stream !== undefined && !stream.closed && !stream.aborted);
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end();
  await once(stream, 'close');
  assert.equal(stream.rstCode, 0);
});

test('a refusal is told, and so is an answer that cannot be read', async (t) => {
  let answer: Uint8Array | undefined;
  const client = await bare(t, (stream) => {
    stream.respond(headers, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': answer === undefined ? '5' : '0' }));
    if (answer !== undefined) stream.write(framed(answer));
    stream.end();
  });
  assert.equal((await failure(client.getVolume({ name: 'x' }))).code, 'NOT_FOUND');
  answer = Buffer.from([0xff, 0xff, 0xff]);
  assert.equal((await failure(client.getVolume({ name: 'x' }))).code, 'INTERNAL');
});

test('a stream goes on behind its first message, and its status is its own', async (t) => {
  const client = await bare(t, (stream) => {
    stream.respond(headers, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '8' }));
    for (const name of ['one', 'two']) {
      stream.write(framed(ListVolumesResponse.encode(ListVolumesResponse.fromPartial(volume(name))).finish()));
    }
    stream.end();
  });
  const names: string[] = [];
  const reading = (async () => {
    for await (const { volume: found } of client.listVolumes({})) names.push(found?.name ?? '');
  })();
  assert.equal((await failure(reading)).code, 'RESOURCE_EXHAUSTED');
  assert.deepEqual(names, ['one', 'two']);
});

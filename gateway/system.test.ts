import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEngine } from './testing/engine.ts';
import { ask, askJson } from './testing/http.ts';

test('_ping answers OK with the newest API version, in any version and in none', async (t) => {
  const { socket } = await startEngine(t, {});
  for (const path of ['/_ping', '/v1.41/_ping']) {
    const { status, headers, text } = await ask(socket, `GET ${path}`);
    assert.equal(status, 200);
    assert.equal(text, 'OK');
    assert.equal(headers['api-version'], '1.51');
    assert.equal(headers.ostype, 'linux');
  }
  const head = await ask(socket, 'HEAD /_ping');
  assert.equal(head.status, 200);
});

test('an unknown route is 404, a known one that is not served 501, an unknown version 400', async (t) => {
  const { socket } = await startEngine(t, {});
  assert.deepEqual(await askJson(socket, 'GET /nothing'), { status: 404, value: { message: 'page not found' } });
  assert.equal((await askJson(socket, 'POST /containers/x/exec', {})).status, 501);
  const { status, value } = await askJson(socket, 'GET /v1.99/info');
  assert.equal(status, 400);
  assert.match(value.message, /client version 1.99 is too new. Maximum supported API version is 1.51/);
});

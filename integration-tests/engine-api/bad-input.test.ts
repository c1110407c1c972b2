import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { ask } from './ask.ts';

let engine: Engine;

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

const send = (method: string, path: string, body?: string) => ask(engine, method, path, body);

const create = (body: object) => send('POST', '/v1.51/containers/create', JSON.stringify(body));

/** Docker makes such a container; only its start fails. */
async function startOn(network: string) {
  await create({ Image: 'busybox', HostConfig: { NetworkMode: network } });
  const { stdout } = await engine.docker('ps', '-lq');
  return send('POST', `/containers/${stdout.trim()}/start`);
}

for (const [what, status, message, request] of [
  ['malformed JSON', 400, /JSON/, () => send('POST', '/containers/create', '{')],
  ['a body that is no object', 400, /object/, () => send('POST', '/containers/create', '[]')],
  ['a wrong type', 400, /Tty/, () => create({ Image: 'busybox', Tty: 'yes' })],
  ['a number that is none', 400, /Memory/, () => create({ Image: 'busybox', HostConfig: { Memory: 1e30 } })],
  ['negative memory', 400, /memory/i, () => create({ Image: 'busybox', HostConfig: { Memory: -5 } })],
  ['too little memory', 400, /memory limit/i, () => create({ Image: 'busybox', HostConfig: { Memory: 1000 } })],
  ['no image', 400, /./, () => create({ Cmd: ['true'] })],
  ['an unknown image', 404, /No such image: nowhere:latest/, () => create({ Image: 'nowhere' })],
  ['a malformed image name', 400, /invalid reference format/, () => create({ Image: 'UPPER//case' })],
  [
    'a bad container name',
    400,
    /Invalid container name/,
    () => send('POST', '/containers/create?name=a%20b', '{"Image":"busybox"}'),
  ],
  [
    'a slash for a container name',
    400,
    /^Invalid container name \(\/\)/,
    () => send('POST', '/containers/create?name=/', '{"Image":"busybox"}'),
  ],
  [
    'an endless container name',
    400,
    /./,
    () => send('POST', `/containers/create?name=${'x'.repeat(8000)}%20`, '{"Image":"busybox"}'),
  ],
  ['an unknown capability', 400, /NOPE/, () => create({ Image: 'busybox', HostConfig: { CapAdd: ['NOPE'] } })],
  ['an unknown network', 404, /no-such-net/, () => startOn('no-such-net')],
  ['an unknown container', 404, /No such container: nobody/, () => send('POST', '/containers/nobody/start')],
  ['an unknown route', 404, /page not found/, () => send('GET', '/no/such/page')],
  ['a version of the future', 400, /too new/, () => send('GET', '/v1.99/info')],
  [
    'an unknown filter',
    400,
    /invalid filter/,
    () => send('GET', '/containers/json?filters=%7B%22x%22%3A%5B%22y%22%5D%7D'),
  ],
  ['a bad signal', 400, /signal/i, () => send('POST', '/containers/steady/kill?signal=NOPE')],
  [
    'a second container of the name',
    409,
    /is already in use by container/,
    () => send('POST', '/containers/create?name=steady', '{"Image":"busybox"}'),
  ],
  ['removing what runs', 409, /running/, () => send('DELETE', '/containers/steady')],
  ['starting what runs', 304, /^$/, () => send('POST', '/containers/steady/start')],
] as const) {
  test(`${what} is answered with ${status}`, async () => {
    if ((await engine.docker('inspect', 'steady')).code !== 0)
      await engine.dockerWith(
        undefined,
        'run',
        '-d',
        '--stop-timeout',
        '0',
        '--name',
        'steady',
        'busybox',
        'sleep',
        '1000',
      );
    const answer = await request();
    assert.equal(answer.status, status, answer.message);
    assert.match(answer.message, message);
    assert.ok(!answer.message.includes('\n    at '), 'no stack');
  });
}

test('after all of it the engine runs containers as before', async () => {
  assert.equal(await engine.dockerWith(undefined, 'run', '--rm', 'busybox', 'echo', 'fine'), 'fine\n');
});

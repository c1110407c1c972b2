import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { silentLogger } from '../../kit/log.ts';
import { dial } from '../../kit/rpc/dial.ts';
import { ContainerServiceDefinition } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { bootEngine, type Engine, inOneProcess, until } from '../engine.ts';
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

const body = JSON.stringify({ Image: 'busybox', HostConfig: { Binds: ['mark:/v'] } });
const create = (name: string) => ask(engine, 'POST', `/containers/create?name=${name}`, body);
const stopped = (role: string) => {
  const pid = engine.pidOf(role);
  process.kill(pid, 'SIGSTOP');
  return () => process.kill(pid, 'SIGCONT');
};

/** Asks the daemon, who knows containers while the gateway stands still. */
async function madeBy(name: string): Promise<string> {
  const channel = dial(`unix://${engine.execRoot}/daemon.sock`, { role: 'test', log: silentLogger() });
  try {
    const containers = channel.client(ContainerServiceDefinition);
    let id = '';
    await until(async () => {
      const { container } = await containers.getContainer({ container: name }).catch(() => ({ container: undefined }));
      id = container?.id ?? '';
      return id !== '';
    }, 10_000);
    return id;
  } finally {
    channel.close();
  }
}

test('a client that hangs up while its answer is with the gateway has had none: asked again, its create gives the container', {
  skip: inOneProcess,
}, async () => {
  const client = new AbortController();
  const goOn = stopped('graphdriver');
  const sent = request({
    socketPath: engine.host.slice('unix://'.length),
    method: 'POST',
    path: '/containers/create?name=web',
    headers: { 'Content-Type': 'application/json' },
    agent: false,
    signal: client.signal,
  });
  const failed = once(sent, 'error');
  sent.end(body);
  // A volume comes before the layer, which it waits for then.
  await until(async () => (await ask(engine, 'GET', '/volumes/mark')).status === 200, 10_000);
  const wake = stopped('gateway');
  goOn();
  const id = await madeBy('web');
  client.abort();
  await failed;
  wake();
  const again = await create('web');
  assert.deepEqual([again.status, again.message], [201, '']);
  assert.equal(JSON.parse(again.body).Id, id);
  // It has been told now, and who asks once more means another.
  const other = await create('web');
  assert.equal(other.status, 409);
  assert.match(other.message, /The container name "\/web" is already in use/);
});

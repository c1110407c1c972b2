import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { seeded, times } from '../seed.ts';

/** What has been answered is with the client so soon; the next coordinator is not up by then. */
const underWayMs = 50;

let engine: Engine;
let createMs: number;
const chance = seeded('unanswered');

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
  await create('warm-up').answer;
  const begun = Date.now();
  assert.equal((await create('measured').answer).status, 201);
  createMs = Date.now() - begun;
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

/** A client without request ids, which can hang up. Its answer is a container's id, or why there is none. */
function create(name: string, hostname = '') {
  const client = new AbortController();
  const sent = request({
    socketPath: engine.host.slice('unix://'.length),
    method: 'POST',
    path: `/containers/create?name=${name}`,
    headers: { 'Content-Type': 'application/json' },
    agent: false,
    signal: client.signal,
  });
  sent.end(JSON.stringify({ Image: 'busybox', Hostname: hostname, Volumes: { '/v': {} } }));
  const answer = once(sent, 'response').then(async ([response]) => {
    const { Id, message } = JSON.parse(Buffer.concat(await response.toArray()).toString());
    return { status: Number(response.statusCode), said: String(Id ?? message) };
  });
  answer.catch(() => undefined);
  return { answer, hangUp: () => client.abort() };
}

/** The ids of all containers with this name. */
async function named(name: string): Promise<string[]> {
  const { stdout } = await engine.docker('ps', '-aq', '--no-trunc', '--filter', `name=^/${name}$`);
  return stdout.split('\n').filter(Boolean);
}

async function volumeCount(): Promise<number> {
  const { stdout } = await engine.docker('volume', 'ls', '-q');
  return stdout.split('\n').filter(Boolean).length;
}

const killCoordinator = () => process.kill(engine.pidOf('daemon'), 'SIGKILL');
/** It is started again by itself. */
const isBack = () => until(async () => (await engine.docker('ps', '-q')).code === 0, 10_000);

async function assertInUse(name: string, hostname = ''): Promise<void> {
  const { status, said } = await create(name, hostname).answer;
  assert.equal(status, 409);
  assert.match(said, new RegExp(`The container name "/${name}" is already in use`));
}

test('a client hangs up, its container is made, the coordinator is killed: the same create gives that container', async () => {
  const layers = engine.pidOf('graphdriver');
  const volumes = await volumeCount();
  process.kill(layers, 'SIGSTOP');
  try {
    const first = create('web');
    // It is under way when its volume is made, and cannot end before its layer is.
    await until(async () => (await volumeCount()) > volumes, 10_000);
    first.hangUp();
    await assert.rejects(first.answer);
  } finally {
    process.kill(layers, 'SIGCONT');
  }
  await until(async () => (await named('web')).length === 1, 10_000);
  const [made] = await named('web');
  killCoordinator();
  await isBack();

  await assertInUse('web', 'another');
  assert.deepEqual(await create('web').answer, { status: 201, said: made });
  assert.deepEqual(await named('web'), [made]);
  // It has been told now, and who asks once more means another; a death changes nothing.
  await assertInUse('web');
  killCoordinator();
  await isBack();
  await assertInUse('web');
});

test('the coordinator may be killed at any moment of a create: who had no answer gets the one container', async () => {
  for (let round = 0; round < times(100); round++) {
    const name = `round-${round}`;
    const first = create(name);
    await delay(chance.between(0, createMs * 1.2));
    killCoordinator();
    const answer = await Promise.race([first.answer, delay(underWayMs)]);
    first.hangUp();
    await isBack();
    const made = await named(name);
    const told = answer ?? (await create(name).answer);
    assert.equal(told.status, 201, told.said);
    if (answer !== undefined || made.length > 0) assert.deepEqual(made, [told.said]);
    assert.deepEqual(await named(name), [told.said]);
    // Killed in the very turn that it answered in, it may give the container once more.
    if (answer === undefined) await assertInUse(name);
  }
});

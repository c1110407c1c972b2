import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bootEngine, type Engine, until } from '../engine.ts';
import { ask } from '../engine-api/ask.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { seeded, times } from '../seed.ts';

const roles = ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network', 'gateway'];
const writers = ['w1', 'w2', 'w3'];
/** Every verb must work again so soon after a death, by itself. */
const backWithinMs = 2_000;

let engine: Engine;
let lifeMs: number;
const chance = seeded('kill');
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
  const script = 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done';
  for (const name of writers) await docker('run', '-d', '--name', name, 'busybox', 'sh', '-c', script);
  await oneLife('warm-up');
  const begun = Date.now();
  assert.equal(await oneLife('measured'), 'whole');
  lifeMs = Date.now() - begun;
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

/** Every line once, in order, from 1. */
async function assertWritersIntact(): Promise<void> {
  for (const name of writers) {
    const lines = (await docker('logs', name)).trimEnd().split('\n');
    lines.forEach((line, at) => {
      assert.equal(line, `line ${at + 1}`, `${name}: line ${at + 1}`);
    });
  }
}

const pids = async () => (await docker('inspect', '-f', '{{.State.Pid}}', ...writers)).split('\n');

/** One life of a container; may be cut by the death of a service, and then says what it saw. */
async function oneLife(name: string): Promise<string> {
  for (const args of [
    ['create', '--name', name, '-v', `${name}:/v`, '-p', '0:80', 'busybox', 'sleep', '1000'],
    ['start', name],
    ['stop', '-t', '0', name],
    ['rm', '-v', name],
  ]) {
    const { code, stderr } = await engine.docker(...args);
    if (code !== 0) return `${args[0]}: ${stderr.trim()}`;
  }
  return 'whole';
}

/** Whole lives are begun until one works; it must end in time after the death. Gives what it took. */
async function worksAgain(name: string, killed: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const seen = await oneLife(`${name}-${attempt}`);
    const took = Date.now() - killed;
    // What a life takes on this machine by itself is not the service's delay.
    const late = took > backWithinMs + 3 * lifeMs;
    assert.ok(!late, `${took} ms after the death (a life takes ${lifeMs}): ${seen}\n${engine.output().slice(-4000)}`);
    if (seen === 'whole') return;
    await engine.docker('rm', '-f', `${name}-${attempt}`);
  }
}

async function sweepStray(name: string): Promise<void> {
  await until(async () => {
    const { stdout } = await engine.docker('ps', '-aq', '--filter', `name=^/?${name}`);
    const ids = stdout.split('\n').filter(Boolean);
    if (ids.length > 0) await engine.docker('rm', '-f', '-v', ...ids);
    return (await engine.docker('ps', '-aq', '--filter', `name=^/?${name}`)).stdout === '';
  }, 10_000);
}

for (const role of roles) {
  test(`${role} may be killed at any moment: no container dies, no line is lost, every verb is back within 2 s`, async () => {
    const before = await pids();
    for (let round = 0; round < times(20); round++) {
      const name = `k-${role}-${round}`;
      const life = oneLife(name);
      await delay(chance.between(0, 400));
      process.kill(engine.pidOf(role), 'SIGKILL');
      const killed = Date.now();
      await until(async () => (await engine.docker('ps', '-q')).code === 0, backWithinMs);
      await worksAgain(`${name}-again`, killed);
      await life;
      await sweepStray(name);
    }
    assert.deepEqual(await pids(), before);
    await assertWritersIntact();
  });
}

test('what a service said last is shown before that it has ended', async () => {
  const before = engine.output().length;
  const gateway = engine.pidOf('gateway');
  await ask(engine, 'POST', '/v1.41/volumes/create', JSON.stringify({ Name: 'last-words' }));
  process.kill(gateway, 'SIGKILL');
  const since = () => engine.output().slice(before);
  await until(() => since().includes('gateway ended (killed by SIGKILL)'), 2_000);
  const [said] = since().split('gateway ended');
  assert.match(said ?? '', /verb=CreateVolume object=last-words/);
  await until(async () => (await engine.docker('volume', 'rm', 'last-words')).code === 0, 5_000);
});

test('a service that is stopped for a while goes on where it was', async () => {
  const before = await pids();
  for (const role of roles) {
    const pid = engine.pidOf(role);
    process.kill(pid, 'SIGSTOP');
    await delay(times(20) * 500);
    process.kill(pid, 'SIGCONT');
    await worksAgain(`s-${role}`, Date.now());
    await sweepStray(`s-${role}`);
  }
  assert.deepEqual(await pids(), before);
  await assertWritersIntact();
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { times } from '../seed.ts';

const all = ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network', 'gateway'];
const count = times(200);

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
  for (let at = 0; at < count; at++) {
    const [verb, ...detached] = at % 2 === 0 ? ['run', '-d'] : ['create'];
    await docker(verb ?? '', ...detached, '--name', `one-${at}`, 'busybox', 'sleep', '10000');
  }
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

const states = () => docker('ps', '-a', '--format', '{{.Names}} {{.State}}');
async function pids(): Promise<string> {
  const names = (await docker('ps', '-q')).split('\n').filter(Boolean);
  return docker('inspect', '-f', '{{.Name}} {{.State.Pid}}', ...names);
}

/** From the first process to the open doors, as the engine says it. */
const readyMs = (output: string) => Number(/Longshore is up \((\d+) ms\)/.exec(output)?.[1]);

test(`a restart with ${count} containers, half of them running, changes none of them`, async (t) => {
  const before = [await states(), await pids()];
  assert.equal(await engine.stop(), 0);
  const begun = Date.now();
  await engine.start();
  t.diagnostic(`stopped and started: ready in ${readyMs(engine.output())} ms (${Date.now() - begun} with the shell)`);
  assert.deepEqual([await states(), await pids()], before);
});

test(`the same when all seven are killed`, async (t) => {
  const before = [await states(), await pids()];
  const told = engine.output().length;
  for (const pid of all.map((role) => engine.pidOf(role))) process.kill(pid, 'SIGKILL');
  const killed = Date.now();
  await until(() => engine.output().slice(told).includes('Longshore is up'), 60_000);
  await until(async () => (await engine.docker('ps', '-q')).code === 0, 10_000);
  t.diagnostic(`killed: ready in ${readyMs(engine.output().slice(told))} ms (${Date.now() - killed} after the death)`);
  assert.deepEqual([await states(), await pids()], before);
});

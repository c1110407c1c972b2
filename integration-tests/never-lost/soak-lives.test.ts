import assert from 'node:assert/strict';
import { globSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { bootEngine, type Engine, until } from '../engine.ts';
import { heapOf, inspectable } from '../heap.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { soak, times } from '../seed.ts';

const roles = ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network', 'gateway'];
/** So many lives fill what is kept in memory on purpose: each service's last thousand events. */
const warmUp = soak ? 500 : 20;
/** A twentieth sees those fill. */
const allowedGrowth = soak ? 0.05 : 0.15;

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);

before(async () => {
  engine = await bootEngine({ environment: inspectable });
  await importBusybox(engine);
  for (let life = 0; life < warmUp; life++) await oneLife(`warm-${life}`);
  await atOnce('warm', times(100));
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

async function oneLife(name: string): Promise<void> {
  await docker('create', '--name', name, '-v', '/v', '-p', '0:80', 'busybox', 'sleep', '1000');
  await docker('start', name);
  assert.equal(await docker('exec', name, 'echo', name), `${name}\n`);
  await docker('stop', '-t', '0', name);
  await docker('rm', '-v', name);
}

async function atOnce(prefix: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, at) => `${prefix}-${at}`);
  await Promise.all(names.map((name) => docker('run', '-d', '--name', name, 'busybox', 'sleep', '1000')));
  await Promise.all(names.map((name) => docker('exec', name, 'true')));
  await Promise.all(names.map((name) => docker('rm', '-f', name)));
}

/** All that could be left of a container, on the machine and in the roots. */
function everything() {
  const files = (root: string) =>
    globSync('**', { cwd: root })
      // What grows and shrinks by itself.
      .filter((path) => !/\.db(-|$)/.test(path))
      .sort();
  const state = engine.state();
  const links = state.links.map((line) => line.split(' ')[1]);
  const rules = state.rules.map((line) => line.replace(/counter packets \d+ bytes \d+/, ''));
  return { ...state, links, rules, data: files(engine.dataRoot), exec: files(engine.execRoot) };
}

/** Open in each of our processes. */
const descriptors = () => new Map(roles.map((role) => [role, readdirSync(`/proc/${engine.pidOf(role)}/fd`).length]));

async function heaps(): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const role of roles) found.set(role, await heapOf(engine, role));
  return found;
}

test(`after ${times(1000)} lives and ${times(100)} containers at once nothing is left of them, nor in memory`, async (t) => {
  // The inspector's own marks are made before.
  await heaps();
  const heapsBefore = await heaps();
  const [before, openBefore] = [everything(), descriptors()];
  const begun = Date.now();
  for (let life = 0; life < times(1000); life++) await oneLife(`life-${life}`);
  t.diagnostic(`${times(1000)} lives took ${Date.now() - begun} ms`);
  await atOnce('together', times(100));

  // The kernel takes its time with the last interfaces.
  await until(() => isDeepStrictEqual(everything(), before), 10_000).catch(() =>
    assert.deepEqual(everything(), before),
  );
  const more = () => [...descriptors()].filter(([role, open]) => open > (openBefore.get(role) ?? 0));
  // Clients' connections are closed a moment after their answers.
  await until(() => more().length === 0, 10_000).catch(() => assert.deepEqual(more(), [], 'descriptors left open'));
  const heapsAfter = await heaps();
  const grown: string[] = [];
  for (const [role, bytes] of heapsBefore) {
    const now = heapsAfter.get(role) ?? 0;
    const growth = now / bytes - 1;
    t.diagnostic(`heap of ${role}: ${bytes} → ${now} bytes, ${(growth * 100).toFixed(1)} %`);
    if (growth > allowedGrowth) grown.push(role);
  }
  assert.deepEqual(grown, []);
});

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { archiveOf, memberBytes } from '../../kit/archive/archive.fixture.ts';
import { createMounts } from '../../kit/linux/mounts.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { clientsOf, collect, framesOf, randomId, testConfig, until } from './service.fixture.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: mounts and owners';
const emptyHome = ['.longshore', 'empty'];

/** The service in a process of its own, which is killed at the end at the latest, and clients of it. */
function processOf(t: TestContext) {
  const { config, cleanUp } = testConfig(t);
  let child: ChildProcess | undefined;
  const kill = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  cleanUp.defer(kill);
  const clients = clientsOf(config, cleanUp);
  return {
    ...clients,
    config,
    kill,
    /** Gives the exit code. */
    async terminate() {
      const stopped = child ?? assert.fail('it was not launched');
      stopped.kill('SIGTERM');
      await once(stopped, 'exit');
      return stopped.exitCode;
    },
    async launch() {
      const main = join(import.meta.dirname, 'main.ts');
      const roots = ['--data-root', config.dataRoot, '--exec-root', config.execRoot];
      child = spawn(process.execPath, [main, ...roots, '--log-level', 'warn'], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      assert.ok(await clients.channel.ready(20_000));
    },
  };
}

test('killed in the middle of an archive, it comes back with nothing of it', { skip }, async (t) => {
  const { config, launch, kill, init, layers } = processOf(t);
  await launch();
  await init();
  const id = randomId();
  const home = join(config.dataRoot, 'overlay2');
  const unpacked = () =>
    readdirSync(home).some((name) => name.startsWith(`${id}.tmp-`) && existsSync(join(home, name, 'diff/second')));
  async function* halves(): AsyncGenerator<Buffer, void, undefined> {
    yield memberBytes({ path: 'first', content: 'x'.repeat(100_000) });
    yield memberBytes({ path: 'second', content: 'y' });
    await until(unpacked);
    await kill();
  }
  await assert.rejects(layers.applyLayer(framesOf({ id }, halves())));
  assert.ok(unpacked());

  await launch();
  assert.deepEqual(await collect(layers.listLayers({})), []);
  await until(() => readdirSync(home).length === emptyHome.length);
  assert.deepEqual(readdirSync(home).sort(), emptyHome);
  const { outcome } = await layers.applyLayer(framesOf({ id }, archiveOf({ path: 'whole' })));
  assert.equal(outcome, Outcome.OUTCOME_DONE);
});

test('told to stop, it ends without an error, also with idle threads', { skip }, async (t) => {
  const { launch, init, layers, terminate } = processOf(t);
  await launch();
  await init();
  await layers.applyLayer(framesOf({ id: randomId() }, archiveOf({ path: 'file' })));
  assert.equal(await terminate(), 0);
});

test('killed under a mounted layer, the view stays and its files too', { skip }, async (t) => {
  const { launch, kill, init, layers } = processOf(t);
  await launch();
  await init();
  const id = randomId();
  await layers.createLayer({ id });
  const { path } = await layers.mountLayer({ id, holder: 'container' });
  writeFileSync(join(path, 'file'), 'before');
  await kill();
  assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'before');
  await launch();
  assert.deepEqual((await layers.getLayer({ id })).layer?.holders, ['container']);
  await layers.unmountLayer({ id, holder: 'container' });
  assert.equal(createMounts().list(path).length, 0);
});

test('killed again and again in the middle of everything, what it lists is whole and nothing else is left', {
  skip,
}, async (t) => {
  const { config, launch, kill, init, layers } = processOf(t);
  const archive = archiveOf(...Array.from({ length: 200 }, (_, index) => ({ path: `file-${index}`, content: 'x' })));

  async function lives(): Promise<void> {
    while (true) {
      const parent = randomId();
      const id = randomId();
      await layers.applyLayer(framesOf({ id: parent }, archive));
      await layers.createLayer({ id, parent });
      await layers.mountLayer({ id, holder: 'container' });
      await layers.unmountLayer({ id, holder: 'container' });
      await layers.removeLayer({ id });
    }
  }

  for (const runMs of [40, 90, 150, 230]) {
    await launch();
    await init();
    const busy = Promise.allSettled([lives(), lives()]);
    await delay(runMs);
    await kill();
    await busy;
  }

  await launch();
  await init();
  const listed = (await collect(layers.listLayers({}))).flatMap(({ layer }) => layer ?? []);
  const home = join(config.dataRoot, 'overlay2');
  await until(() => readdirSync(home).length === emptyHome.length + listed.length);
  assert.deepEqual(readdirSync(home).sort(), [...emptyHome, ...listed.map(({ id }) => id)].sort());
  for (const layer of listed) {
    if (!layer.writable) assert.equal(readdirSync(join(home, layer.id, 'diff')).length, 200);
    const isMounted = createMounts().list(join(home, layer.id)).length > 0;
    assert.equal(isMounted, layer.holders.length > 0);
  }
});

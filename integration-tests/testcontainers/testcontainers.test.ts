import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { GenericContainer as GenericContainerClass, Wait as WaitType } from 'testcontainers';
import { bootEngine, type Engine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
let GenericContainer: typeof GenericContainerClass;
let Wait: typeof WaitType;

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
  process.env.DOCKER_HOST = engine.host;
  // Its reaper is an image of its own, from a registry.
  process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
  ({ GenericContainer, Wait } = await import('testcontainers'));
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

test('a container is up when its log says so, answers on its mapped port, and is gone after stop', async () => {
  const container = await new GenericContainer('busybox')
    .withCommand(['sh', '-c', 'mkdir /www; echo $GREETING >/www/index.html; echo ready; httpd -f -p 80 -h /www'])
    .withEnvironment({ GREETING: 'ahoy' })
    .withLabels({ 'made-by': 'a-test' })
    .withExposedPorts(80)
    .withWaitStrategy(Wait.forLogMessage('ready'))
    .start();
  const url = `http://${container.getHost()}:${container.getMappedPort(80)}/`;
  const answered = async () => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).text();
      } catch (error) {
        if (attempt === 20) throw error;
      }
    }
  };
  assert.equal(await answered(), 'ahoy\n');
  const { stdout } = await engine.docker('ps', '-q', '--no-trunc', '--filter', 'label=made-by=a-test');
  assert.equal(stdout.trim(), container.getId());
  await container.stop();
  assert.equal((await engine.docker('ps', '-aq')).stdout, '');
});

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

const server = ['sh', '-c', 'mkdir /www; echo served >/www/index.html; sleep 0.3; httpd -f -p 80 -h /www'];

test('without a strategy of its own a container is up when its ports are, seen from outside and from inside', async () => {
  const container = await new GenericContainer('busybox').withCommand(server).withExposedPorts(80).start();
  const url = `http://${container.getHost()}:${container.getMappedPort(80)}/`;
  assert.equal(await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).text(), 'served\n');
  await container.stop();
});

test('a container is up when a command in it succeeds; exec gives output, both streams apart, and the exit code', async () => {
  const container = await new GenericContainer('busybox')
    .withCommand(['sh', '-c', 'sleep 0.3; touch /tmp/ready; exec sleep 1000'])
    .withWaitStrategy(Wait.forSuccessfulCommand('test -e /tmp/ready'))
    .start();
  const script = 'echo $GREETING from $(pwd) as $(id -u); echo err >&2; exit 3';
  const { exitCode, stdout, stderr, output } = await container.exec(['sh', '-c', script], {
    env: { GREETING: 'ahoy' },
    workingDir: '/tmp',
    user: 'dock',
  });
  assert.deepEqual([exitCode, stdout, stderr], [3, 'ahoy from /tmp as 1000\n', 'err\n']);
  assert.equal(output.length, stdout.length + stderr.length);
  assert.equal((await container.exec('no-such-command')).exitCode, 127);
  const many = await Promise.all(Array.from({ length: 8 }, (_, n) => container.exec(['echo', `${n}`])));
  assert.deepEqual(
    many.map((each) => each.output),
    Array.from({ length: 8 }, (_, n) => `${n}\n`),
  );
  await container.stop();
});

test('a restarted container has its files', async () => {
  const container = await new GenericContainer('busybox')
    .withCommand(['sleep', '1000'])
    .withWaitStrategy(Wait.forSuccessfulCommand('true'))
    .start();
  await container.exec(['touch', '/kept']);
  await container.restart({ timeout: 0 });
  assert.equal((await container.exec(['test', '-e', '/kept'])).exitCode, 0);
  await container.stop();
});

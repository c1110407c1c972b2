import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

/** Creates by REST, under an id of the client's; gives up after a while. Gives status and body. */
async function createByRest(
  name: string,
  requestId: string,
  giveUpMs?: number,
): Promise<{ status: number; id: string }> {
  const sent = request({
    socketPath: engine.host.slice('unix://'.length),
    method: 'POST',
    path: `/containers/create?name=${name}`,
    headers: { 'Content-Type': 'application/json', 'X-Request-Id': requestId },
    agent: false,
    ...(giveUpMs !== undefined && { signal: AbortSignal.timeout(giveUpMs) }),
  });
  sent.end(JSON.stringify({ Image: 'busybox' }));
  const [response] = await once(sent, 'response');
  const body = JSON.parse(Buffer.concat(await response.toArray()).toString());
  return { status: response.statusCode, id: body.Id ?? body.message };
}

/** While the layers' owner stands still, a create takes as long. */
async function whileStill(work: () => Promise<void>): Promise<void> {
  const pid = engine.pidOf('graphdriver');
  process.kill(pid, 'SIGSTOP');
  try {
    await work();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

const named = async (name: string) => (await docker('ps', '-aq', '--no-trunc', '--filter', `name=^/${name}$`)).trim();

test('a create that timed out, asked again with its request id, is the same container', async () => {
  await whileStill(() => assert.rejects(createByRest('web', 'deploy-1', 300)));
  const again = await createByRest('web', 'deploy-1');
  assert.equal(again.status, 201);
  const once_more = await createByRest('web', 'deploy-1');
  assert.deepEqual(once_more, again);
  assert.equal(await named('web'), again.id);
  const other = await createByRest('web', 'deploy-2');
  assert.equal(other.status, 409);
  assert.match(other.id, /The container name "\/web" is already in use/);
});

test('a client without request ids gets the container of its create that timed out, and no name in use', async () => {
  const create = ['create', '--name', 'plain', '-v', '/v', 'busybox', 'sleep', '1000'];
  let asked: Promise<string> | undefined;
  await whileStill(async () => {
    for (let time = 0; time < 2; time++) {
      const client = spawn('docker', create, { env: { ...process.env, DOCKER_HOST: engine.host }, stdio: 'ignore' });
      // By then it waits for its answer; if not, it has asked for nothing.
      await delay(300);
      client.kill('SIGKILL');
      await once(client, 'exit');
    }
    asked = docker(...create);
  });
  const id = (await asked)?.trim();
  assert.equal(await named('plain'), id);
  await docker('start', 'plain');
  assert.equal(await docker('inspect', '-f', '{{.State.Running}}', 'plain'), 'true\n');
  const second = await engine.docker(...create);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /is already in use/);
});

test('who changed what is told, once a change', async () => {
  const told = engine.output().length;
  const id = (await docker('run', '-d', '--name', 'told', 'busybox', 'sleep', '1000')).trim();
  await docker('ps', '-a');
  await docker('rm', '-f', 'told');
  await engine.docker('rm', '-f', 'told');
  const lines = () =>
    engine
      .output()
      .slice(told)
      .split('\n')
      // Those of what came before are shown a moment later.
      .filter(
        (line) => line.includes('audit=true') && (line.includes('object=told ') || line.includes(`object=${id}`)),
      );
  await until(() => lines().length >= 4, 5_000);
  const shown = lines().map((line) => / peer="pid \d+ uid 0 gid 0" verb=(\w+) object=(\w+) outcome=(\w+)/.exec(line));
  assert.deepEqual(
    shown.map((found) => found?.slice(1)),
    [
      ['CreateContainer', 'told', 'OK'],
      ['StartContainer', id, 'OK'],
      ['RemoveContainer', 'told', 'OK'],
      ['RemoveContainer', 'told', 'OK'],
    ],
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bootEngine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { seeded, times } from '../seed.ts';

const roles = ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network', 'gateway'] as const;
/** Seven programs start anew, and boot. */
const backWithinMs = 15_000;

test('all seven, or any of them, die at once: the engine is back by itself, and no container has noticed', async (t) => {
  const chance = seeded('all at once');
  const engine = await bootEngine();
  t.after(async () => {
    await engine.dispose();
    assert.deepEqual(engine.state(), nothing);
  });
  await importBusybox(engine);
  const script = 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done';
  await engine.dockerWith(undefined, 'run', '-d', '--name', 'writer', 'busybox', 'sh', '-c', script);
  const pid = await engine.dockerWith(undefined, 'inspect', '-f', '{{.State.Pid}}', 'writer');
  for (let round = 0; round < times(40); round++) {
    const life = engine.docker('run', '--rm', '--name', `cut-${round}`, '-v', '/v', '-p', '0:80', 'busybox', 'true');
    await delay(chance.between(0, 300));
    const dying = round % 2 === 0 ? roles : roles.filter(() => chance.between(0, 2) === 1);
    for (const role of dying) {
      try {
        process.kill(engine.pidOf(role), 'SIGKILL');
      } catch {
        // Between one life and the next.
      }
    }
    const { code, stderr } = await life;
    t.diagnostic(`round ${round}: ${dying.join(' ')} died; the run that was cut: ${code} ${stderr.trim()}`);
    let last = '';
    const works = async () => {
      const { code, stderr } = await engine.docker('run', '--rm', 'busybox', 'true');
      last = stderr;
      return code === 0;
    };
    await until(works, backWithinMs).catch((error: Error) => {
      throw new Error(`${error.message}\n${last}\n${engine.output().slice(-4000)}`);
    });
    await engine.docker('rm', '-f', `cut-${round}`);
    assert.equal(engine.launcher.exitCode, null, engine.output().slice(-3000));
  }
  assert.equal(await engine.dockerWith(undefined, 'inspect', '-f', '{{.State.Pid}}', 'writer'), pid);
  const lines = (await engine.dockerWith(undefined, 'logs', 'writer')).trimEnd().split('\n');
  lines.forEach((line, at) => {
    assert.equal(line, `line ${at + 1}`);
  });
  const left = await engine.dockerWith(undefined, 'ps', '-a', '--format', '{{.Names}}');
  assert.equal(left, 'writer\n');
});

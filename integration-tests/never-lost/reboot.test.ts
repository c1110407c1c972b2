import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { placeEngine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

/**
 * Another boot of the host, as far as the engine sees: none of its processes lives, and the kernel names another boot. The
 * engine runs in a mount namespace where a file stands for the kernel's.
 */
function nextBoot(): { within: string[]; forget(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'ls-boot-'));
  const file = join(folder, 'boot_id');
  writeFileSync(file, `${randomUUID()}\n`);
  const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"';
  return {
    within: ['unshare', '--mount', 'sh', '-c', script, file],
    forget: () => rmSync(folder, { recursive: true }),
  };
}

/** SIGKILL, as a power cut is, to all processes below these cgroups, and to those named. */
function cutPower(marks: readonly string[]): void {
  for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const text = readFileSync(`/proc/${name}/cmdline`, 'utf8') + readFileSync(`/proc/${name}/cgroup`, 'utf8');
      if (marks.some((mark) => text.includes(mark)) && Number(name) !== process.pid)
        process.kill(Number(name), 'SIGKILL');
    } catch {
      // It has gone by itself.
    }
  }
}

test('after a reboot of the host: exit 255, the policies are honoured, and networks and files work', async (t) => {
  const boot = nextBoot();
  let within: string[] = [];
  const engine = await placeEngine({ within: () => within });
  t.after(async () => {
    await engine.dispose();
    boot.forget();
    assert.deepEqual(engine.state(), nothing);
  });
  await engine.start();
  await importBusybox(engine);
  const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
  const run = (name: string, ...more: string[]) =>
    docker(
      'run',
      '-d',
      '--name',
      name,
      '--stop-signal',
      'KILL',
      ...more,
      'busybox',
      'sh',
      '-c',
      'echo life; exec sleep 1000',
    );
  await run('plain', '-v', 'kept:/v');
  await run('paused');
  await run('always', '--restart', 'always', '-p', '0:80');
  await run('unless-stopped', '--restart', 'unless-stopped');
  await run('on-failure', '--restart', 'on-failure:3');
  await run('stopped-by-hand', '--restart', 'unless-stopped');
  await run('gone-with-it', '--rm');
  await docker('exec', 'plain', 'sh', '-c', 'echo written > /v/file; echo in the layer > /file');
  await docker('pause', 'paused');
  await docker('stop', 'stopped-by-hand');
  const engineId = (await docker('info', '-f', '{{.ID}}')).trim();
  const before = await docker('inspect', '-f', '{{.State.Pid}}', 'always');

  // The supervisor first, which would start them again; frozen processes die when they are thawed.
  const ended = new Promise((resolve) => engine.launcher.once('exit', resolve));
  engine.launcher.kill('SIGKILL');
  await ended;
  await docker('unpause', 'paused').catch(() => undefined);
  const marks = [engine.dataRoot, `longshore-${engineId.slice(0, 12)}`];
  cutPower(marks);
  await until(() => {
    cutPower(marks);
    return engine.state().processes.length === 0;
  }, 10_000);

  within = boot.within;
  await engine.start();
  const state = async (name: string) =>
    (await docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}', name)).trim();
  const running = (name: string) => until(async () => (await state(name)).startsWith('running'), 10_000);
  assert.equal(await state('plain'), 'exited 255 false');
  assert.equal(await state('paused'), 'exited 255 false');
  assert.match(await state('stopped-by-hand'), /^exited 137/);
  for (const name of ['always', 'unless-stopped', 'on-failure']) await running(name);
  assert.notEqual(await docker('inspect', '-f', '{{.State.Pid}}', 'always'), before);
  await until(async () => (await engine.docker('inspect', 'gone-with-it')).code === 1, 10_000);

  assert.equal(await docker('logs', 'plain'), 'life\n');
  await until(async () => (await docker('logs', 'always')) === 'life\nlife\n', 5_000);
  await docker('start', 'plain');
  assert.equal(await docker('exec', 'plain', 'cat', '/v/file', '/file'), 'written\nin the layer\n');
  await docker('rm', '-f', 'plain');
  await docker('volume', 'rm', 'kept');
});

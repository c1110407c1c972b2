import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, globSync, mkdtempSync, openSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { libc } from '../../kit/linux/libc.ts';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
/** On a busy machine; a verb that waits for another container's trouble takes far longer. */
const quickMs = 2_000;

/** A runtime that never makes the container it is told to make. */
const runtime = join(mkdtempSync(join(tmpdir(), 'ls-runtime-')), 'waits');
writeFileSync(runtime, '#!/bin/sh\ncase " $* " in *" create "*) exec sleep 1000 ;; esac\nexec crun "$@"\n', {
  mode: 0o755,
});

before(async () => {
  engine = await bootEngine({ flags: ['--add-runtime', `waits=${runtime}`] });
  await importBusybox(engine);
  await docker('run', '-d', '--name', 'other', 'busybox', 'sleep', '1000');
});
after(async () => {
  await engine.dispose();
  rmSync(dirname(runtime), { recursive: true });
  assert.deepEqual(engine.state(), nothing);
});

/** All that others do goes on at its usual pace. */
async function assertNobodyElseWaits(stuck: string): Promise<void> {
  for (const args of [
    ['ps', '-a'],
    ['inspect', stuck],
    ['inspect', 'other'],
    ['exec', 'other', 'true'],
    ['top', 'other'],
    ['stats', '--no-stream', 'other'],
    ['logs', stuck],
    ['run', '--rm', '-v', '/v', '-p', '0:80', 'busybox', 'true'],
  ]) {
    const begun = Date.now();
    await docker(...args);
    const took = Date.now() - begun;
    assert.ok(took < quickMs + (args[0] === 'stats' ? 2_000 : 0), `docker ${args.join(' ')} took ${took} ms`);
  }
}

test('a container that somebody has frozen holds up nobody, and goes when it is told to', async (t) => {
  const [folder] = globSync('/sys/fs/cgroup/freezer');
  if (folder === undefined) {
    t.skip('no freezer of cgroup version 1 here');
    return;
  }
  for (const verb of [['rm', '-f'], ['kill'], ['stop', '-t', '1']]) {
    const id = (await docker('run', '-d', '--name', 'frozen', 'busybox', 'sleep', '1000')).trim();
    const [state]: string[] = globSync(`${folder}/**/*${id}*/freezer.state`);
    assert.ok(state !== undefined);
    writeFileSync(state, 'FROZEN');
    if (verb[0] === 'rm') await assertNobodyElseWaits('frozen');
    const begun = Date.now();
    await docker(...verb, 'frozen');
    await until(async () => !(await docker('ps', '--format', '{{.Names}}')).includes('frozen'), 5_000);
    assert.ok(Date.now() - begun < quickMs + 1_000, verb.join(' '));
    await engine.docker('rm', '-f', 'frozen');
  }
});

/** A mount whose file system never answers, as one by FUSE does whose server has stopped. */
function deadMount(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'ls-dead-'));
  const server = openSync('/dev/fuse', 'r+');
  const text = (value: string) => Buffer.from(`${value}\0`);
  const options = text(`fd=${server},rootmode=40000,user_id=0,group_id=0`);
  assert.equal(libc.mount(text('dead'), text(path), text('fuse'), 0n, options), 0);
  return {
    path,
    [Symbol.dispose]() {
      execFileSync('umount', ['--lazy', '--force', path]);
      closeSync(server);
      rmdirSync(path);
    },
  };
}

test('a container on a dead mount holds up nobody, is told what it waits for, and goes', async () => {
  using dead = deadMount();
  const created = ['create', '-v', `${dead.path}:/x`, '--name'];
  // More of them than Node has threads.
  const names = ['dead-1', 'dead-2', 'dead-3', 'dead-4', 'dead-5'];
  for (const name of names) await docker(...created, name, 'busybox', 'sleep', '1000');
  const starting = names.map((name) => engine.docker('start', name));
  await assertNobodyElseWaits('dead-1');
  const gone = engine.docker('rm', '-f', 'dead-2');
  for (const { code, stderr } of await Promise.all(starting)) {
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`${dead.path} is on a file system that does not answer`));
  }
  assert.equal((await gone).code, 0);
  await docker('rm', ...names.filter((name) => name !== 'dead-2'));
});

test('a container whose files somebody is in goes all the same', async () => {
  await docker('run', '-d', '--name', 'visited', 'busybox', 'sleep', '1000');
  const id = (await docker('inspect', '-f', '{{.Id}}', 'visited')).trim();
  const merged = engine
    .state()
    .mounts.find((line) => line.includes('overlay') && line.includes(id))
    ?.split(' ')[4];
  assert.ok(merged !== undefined);
  const visitor = spawn('sleep', ['1000'], { cwd: merged, stdio: 'ignore' });
  try {
    const { code, stderr } = await engine.docker('rm', '-f', 'visited');
    assert.equal(code, 0, stderr);
    assert.equal((await engine.docker('inspect', 'visited')).code, 1);
  } finally {
    visitor.kill('SIGKILL');
  }
});

test('a start that hangs in the runtime holds up nobody, and rm -f ends it', async () => {
  await docker('create', '--name', 'hangs', '--runtime', 'waits', 'busybox', 'sleep', '1000');
  const starting = engine.docker('start', 'hangs');
  const id = (await docker('inspect', '-f', '{{.Id}}', 'hangs')).trim();
  await until(() => engine.state().processes.some((line) => line.includes('conmon') && line.includes(id)), 5_000);
  await assertNobodyElseWaits('hangs');
  const begun = Date.now();
  await docker('rm', '-f', 'hangs');
  assert.ok(Date.now() - begun < quickMs);
  assert.equal((await starting).code, 1);
  assert.equal((await engine.docker('inspect', 'hangs')).code, 1);
});

test('one whose layers’ owner stands still holds up only those that need it', async () => {
  const pid = engine.pidOf('graphdriver');
  await docker('create', '--name', 'waits', 'busybox', 'true');
  process.kill(pid, 'SIGSTOP');
  try {
    const waits = engine.docker('start', 'waits');
    for (const args of [
      ['ps', '-a'],
      ['inspect', 'waits'],
      ['exec', 'other', 'true'],
      ['logs', 'other'],
      ['pause', 'other'],
      ['unpause', 'other'],
    ]) {
      const begun = Date.now();
      await docker(...args);
      assert.ok(Date.now() - begun < quickMs, args.join(' '));
    }
    process.kill(pid, 'SIGCONT');
    assert.equal((await waits).code, 0);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await docker('rm', '-f', 'waits');
});

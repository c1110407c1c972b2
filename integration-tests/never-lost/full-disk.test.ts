import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, globSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Engine, placeEngine, until } from '../engine.ts';
import { busyboxTar, importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const noSpace = /no space left on the disk of .*: free some, then repeat the command/;

/** A small ext4 of its own below the data root. */
before(async () => {
  engine = await placeEngine();
  const image = `${engine.dataRoot}.img`;
  mkdirSync(engine.dataRoot, { recursive: true });
  execFileSync('truncate', ['--size', '64M', image]);
  execFileSync('mkfs.ext4', ['-q', '-m', '0', image]);
  execFileSync('mount', ['-o', 'loop', image, engine.dataRoot]);
  await engine.start();
  await importBusybox(engine);
});
after(async () => {
  const ids = (await docker('ps', '-aq')).split('\n').filter(Boolean);
  if (ids.length > 0) await docker('rm', '-f', ...ids);
  await engine.stop();
  execFileSync('umount', [engine.dataRoot]);
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

/** Takes the last byte. */
function fill(): () => void {
  const path = join(engine.dataRoot, 'filler');
  const file = openSync(path, 'w');
  for (const size of [1 << 20, 1 << 12, 1 << 8, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  closeSync(file);
  return () => rmSync(path);
}

/** What lies on the disk for containers, images and volumes, by its names. */
const things = () =>
  ['graphdriver/*/*', 'graph/**', 'volumes/*', 'execdriver/*/*']
    .flatMap((pattern) => globSync(pattern, { cwd: engine.dataRoot }))
    .filter((path) => !/\.db|reserve/.test(path))
    .sort();

const names = async () => (await docker('ps', '-a', '--format', '{{.Names}}')).trim().split('\n').sort();
const load = () => engine.dockerWith(busyboxTar(), 'import', '-', 'loaded');

test('a full disk refuses what is new, keeps what is there, and needs no restart when there is space again', async () => {
  const count = 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done';
  await docker('run', '-d', '--name', 'talks', 'busybox', 'sh', '-c', count);
  await docker('run', '-d', '--name', 'sleeps', '--stop-signal', 'KILL', 'busybox', 'sleep', '1000');
  await docker('create', '--name', 'stopped', 'busybox', 'echo', 'works');
  await docker('create', '--name', 'spare', 'busybox', 'true');
  const pids = await docker('inspect', '-f', '{{.State.Pid}}', 'talks', 'sleeps');

  const before = things();
  assert.ok(before.length > 5, before.join(' '));
  const free = fill();
  for (const args of [
    ['create', '--name', 'new', 'busybox', 'true'],
    ['run', '--name', 'new', 'busybox', 'true'],
    ['start', 'stopped'],
    ['volume', 'create', 'new'],
  ]) {
    const { code, stderr } = await engine.docker(...args);
    assert.notEqual(code, 0);
    assert.match(stderr, noSpace, args.join(' '));
  }
  await assert.rejects(load(), noSpace);
  assert.deepEqual(things(), before);

  assert.deepEqual(await names(), ['sleeps', 'spare', 'stopped', 'talks']);
  assert.equal(await docker('inspect', '-f', '{{.State.Pid}}', 'talks', 'sleeps'), pids);
  assert.match(await docker('logs', '--tail', '1', 'talks'), /^line \d+\n$/);
  assert.equal(await docker('exec', 'sleeps', 'echo', 'lives'), 'lives\n');
  // What makes room works.
  await docker('stop', 'sleeps');
  await docker('rm', 'spare');
  assert.deepEqual(await names(), ['sleeps', 'stopped', 'talks']);

  free();
  assert.equal(await docker('start', '-a', 'stopped'), 'works\n');
  assert.equal(await docker('run', '--rm', 'busybox', 'echo', 'new'), 'new\n');
  await load();
  await docker('volume', 'create', 'new');
  await docker('start', 'sleeps');
  const [talking] = pids.split('\n');
  assert.equal((await docker('inspect', '-f', '{{.State.Pid}}', 'talks')).trim(), talking);
  // Its log goes on; a line that found no room is lost, and none is torn.
  const last = async () => {
    const line = await docker('logs', '--tail', '1', 'talks');
    assert.match(line, /^line \d+\n$/);
    return Number(line.slice('line '.length));
  };
  const seen = await last();
  await until(async () => (await last()) > seen, 5_000);
  await docker('rm', '-f', 'talks', 'sleeps', 'stopped');
});

test('an engine whose parts die on a full disk is back by itself, with all it had', async () => {
  await docker('run', '-d', '--name', 'sleeps', '--stop-signal', 'KILL', 'busybox', 'sleep', '1000');
  await docker('create', '--name', 'stopped', 'busybox', 'echo', 'works');
  const pid = await docker('inspect', '-f', '{{.State.Pid}}', 'sleeps');
  const free = fill();
  for (const role of ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network'])
    process.kill(engine.pidOf(role), 'SIGKILL');
  await until(async () => (await engine.docker('ps', '-q')).code === 0, 20_000);
  assert.equal(await docker('inspect', '-f', '{{.State.Pid}}', 'sleeps'), pid);
  await until(async () => (await engine.docker('rm', '-f', 'sleeps')).code === 0, 20_000);
  free();
  assert.equal(await docker('start', '-a', 'stopped'), 'works\n');
  await docker('rm', 'stopped');
});

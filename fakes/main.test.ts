import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '../kit/log.ts';
import { dial } from '../kit/rpc/dial.ts';
import { ControlServiceDefinition } from '../proto/gen/longshore/volume/v1/control.ts';
import { fakeRoles } from './engine.ts';

const program = fileURLToPath(new URL('./main.ts', import.meta.url));

test('run by hand, the five answer at their usual sockets until they are told to end', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'longshore-fakes-'));
  t.after(() => rm(dir, { recursive: true }));
  const child = spawn(process.execPath, [program, '--exec-root', dir], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  child.stderr.resume();
  const exited = once(child, 'exit');
  for (const role of fakeRoles) {
    const channel = dial(`unix://${join(dir, `${role}.sock`)}`, { role: 'client', log: silentLogger() });
    t.after(() => channel.close());
    assert.equal(await channel.ready(10_000), true, role);
    if (role !== 'volume') continue;
    const { identity } = await channel.client(ControlServiceDefinition).identify({});
    assert.deepEqual([identity?.pid, identity?.execRoot], [child.pid, dir]);
  }
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});

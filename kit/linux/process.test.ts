import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { bootId, processAlive, signalProcess, startTimeOf } from './process.ts';

test('a process is signalled while it is the one that was meant', async () => {
  const child = spawn('sleep', ['60']);
  const pid = child.pid ?? 0;
  const started = startTimeOf(pid);
  assert.ok(started);
  assert.equal(processAlive(pid, started), true);
  assert.equal(signalProcess(pid, String(Number(started) - 1), 'SIGKILL'), false);
  assert.equal(signalProcess(pid, started, 'SIGTERM'), true);
  const [, signal] = await once(child, 'exit');
  assert.equal(signal, 'SIGTERM');
  assert.equal(processAlive(pid, started), false);
  assert.equal(signalProcess(pid, started, 'SIGTERM'), false);
  assert.equal(startTimeOf(pid), undefined);
});

test('the start time is found behind a name with spaces and parentheses', async () => {
  const script = 'process.title = "a) R 1 (b"; console.log("ready"); setInterval(() => {}, 1000)';
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
  assert.match(startTimeOf(child.pid ?? 0) ?? '', /^\d+$/);
  assert.ok(Number(startTimeOf(child.pid ?? 0)) >= Number(startTimeOf(process.pid)));
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('the boot has an id', () => {
  assert.match(bootId(), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

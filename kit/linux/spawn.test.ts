import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createProcesses } from './spawn.ts';
import { pipe, readable, writable } from './stream.ts';

const processes = createProcesses();

/** Runs a shell script to its end and collects what it wrote to stdout. */
async function shell(script: string, more: { cwd?: string; env?: Record<string, string>; fd3?: number } = {}) {
  const [read, write] = pipe();
  const { env = {}, cwd, fd3 } = more;
  const child = processes.spawn({
    file: '/bin/sh',
    args: ['-c', script],
    env,
    fds: [undefined, write, undefined, ...(fd3 === undefined ? [] : [fd3])],
    ...(cwd === undefined ? {} : { cwd }),
  });
  closeSync(write);
  const [output, code] = await Promise.all([text(readable(read)), child.exited]);
  return { output, code, pid: child.pid };
}

test('a child gets its arguments, environment and directory, and nothing else of ours', async () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'longshore-spawn-')));
  const { output, code } = await shell('pwd; echo "$A:$HOME"', { cwd: directory, env: { A: 'ünï code' } });
  rmSync(directory, { recursive: true });
  assert.equal(output, `${directory}\nünï code:\n`);
  assert.equal(code, 0);
});

test('the exit code is told, and 128 + n after signal n', async () => {
  assert.equal((await shell('exit 7')).code, 7);
  assert.equal((await shell('kill -9 $$')).code, 137);
});

test('a child that has ended leaves no zombie', async () => {
  const { pid } = await shell(':');
  assert.equal(readdirSync('/proc').includes(`${pid}`), false);
});

test('a child leads its own session, blocks no signal and dies of SIGPIPE as programs do', async () => {
  const { output, pid } = await shell('cut -d" " -f6 /proc/$$/stat; grep -E "SigBlk|SigIgn" /proc/self/status');
  const [session, , blocked = '', , ignored = ''] = output.trim().split(/\s+/);
  assert.equal(session, `${pid}`);
  assert.equal(Number.parseInt(blocked, 16), 0);
  const sigpipe = 1 << 12;
  assert.equal(Number.parseInt(ignored, 16) & sigpipe, 0);
});

test('a child has exactly the descriptors it was given', async () => {
  const extra = openSync('/dev/zero', 'r');
  const inherited = openSync('/dev/zero', 'r');
  const script = 'for n in $(seq 0 99); do readlink /proc/$$/fd/$n; done';
  const { output } = await shell(script, { fd3: extra, env: { PATH: '/bin:/usr/bin' } });
  closeSync(extra);
  closeSync(inherited);
  assert.match(output, /^\/dev\/null\npipe:\S+\n\/dev\/null\n\/dev\/zero\n$/);
});

test('descriptors may be swapped', async () => {
  const pipes = [pipe(), pipe()];
  const [one, two] = [pipes[0]?.[1] ?? -1, pipes[1]?.[1] ?? -1];
  // The numbers given overlap the numbers wanted, in the other order.
  const fds: (number | undefined)[] = [undefined, undefined, undefined];
  fds[one] = two;
  fds[two] = one;
  const script = `echo to-${one} >/proc/self/fd/${one}; echo to-${two} >/proc/self/fd/${two}`;
  const child = processes.spawn({ file: '/bin/sh', args: ['-c', script], env: {}, fds });
  closeSync(one);
  closeSync(two);
  const outputs = await Promise.all(pipes.map(([read]) => text(readable(read))));
  assert.equal(await child.exited, 0);
  assert.deepEqual(outputs, [`to-${two}\n`, `to-${one}\n`]);
});

test('what is written to a child’s stdin arrives, up to its end', async () => {
  const [stdin, stdout] = [pipe(), pipe()];
  const child = processes.spawn({ file: '/bin/cat', args: [], env: {}, fds: [stdin[0], stdout[1]] });
  closeSync(stdin[0]);
  closeSync(stdout[1]);
  const content = 'x'.repeat(300_000);
  writable(stdin[1]).end(content);
  assert.equal(await text(readable(stdout[0])), content);
  assert.equal(await child.exited, 0);
});

test('the exit is told also when a grandchild lives on with the descriptors', async () => {
  const [read, write] = pipe();
  const child = processes.spawn({
    file: '/bin/sh',
    args: ['-c', 'sleep 60 & echo $!'],
    env: { PATH: '/bin:/usr/bin' },
    fds: [undefined, write],
  });
  closeSync(write);
  assert.equal(await child.exited, 0);
  const stream = readable(read);
  const [line] = await stream.take(1).toArray();
  process.kill(Number(String(line)));
});

test('a file that is not there or not executable is refused, by name', () => {
  const command = { args: [], env: {} };
  assert.throws(() => processes.spawn({ ...command, file: '/nowhere' }), { code: 'ENOENT', path: '/nowhere' });
  assert.throws(() => processes.spawn({ ...command, file: '/etc/passwd' }), { code: 'EACCES' });
  assert.throws(() => processes.spawn({ ...command, file: '/bin/true', args: ['a\0b'] }), { code: 'EINVAL' });
});

test('fifty children at once are all reaped', async () => {
  const codes = await Promise.all(
    Array.from(
      { length: 50 },
      (_, n) => processes.spawn({ file: '/bin/sh', args: ['-c', `exit ${n}`], env: {} }).exited,
    ),
  );
  assert.deepEqual(
    codes,
    Array.from({ length: 50 }, (_, n) => n),
  );
});

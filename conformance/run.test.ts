import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startFakeVolume } from '../fakes/volume.ts';

const program = fileURLToPath(new URL('./run.ts', import.meta.url));

/** Runs the program as its users do: not as a part of this test run. */
function run(...args: string[]): Promise<{ code: number; output: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], { env }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, output: `${stdout}${stderr}` });
    });
  });
}

async function volume(t: TestContext) {
  const fake = await startFakeVolume({ listen: 'tcp://127.0.0.1:0' });
  t.after(() => fake.stop());
  return fake;
}

test('an implementation that keeps the contract passes, and the sentences are shown', async (t) => {
  const { endpoint } = await volume(t);
  const { code, output } = await run('volume', '--endpoint', endpoint);
  assert.equal(code, 0, output);
  assert.match(output, /a held volume is not removed: FAILED_PRECONDITION, VOLUME_IN_USE/);
});

test('one that does not fails, with the sentence that it breaks', async (t) => {
  const fake = await volume(t);
  fake.calls.fail('acquireVolume', { reason: 'ODD', code: 'INTERNAL' }, 100);
  const { code, output } = await run('volume', '--endpoint', fake.endpoint);
  assert.equal(code, 1);
  assert.match(output, /✖ AcquireVolume creates what is not there and records the holder/);
});

test('the help teaches, and what is wrong on the command line is said', async () => {
  const help = await run('--help');
  assert.equal(help.code, 0);
  for (const word of ['graphdriver', '--endpoint', '--restart-command', 'Examples:'])
    assert(help.output.includes(word));
  const unknown = await run('nothing', '--endpoint', 'unix:///x');
  assert.equal(unknown.code, 1);
  assert.match(unknown.output, /Allowed choices are graph, graphdriver, execdriver, volume, network/);
});

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import type { AttachRequest } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import { type Bench, newId, openBench, skip } from './testing/harness.ts';
import { processesWith, until } from './testing/host.ts';

type Frame = AttachRequest['frame'];

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

const stdin = (bytes: Buffer | string): Frame => ({ $case: 'stdin', value: Buffer.from(bytes) });
const closeStdin: Frame = { $case: 'closeStdin', value: {} };

async function* framesOf(...frames: (Frame | Promise<unknown>)[]): AsyncGenerator<Frame> {
  for (const frame of frames) {
    if (frame instanceof Promise) await frame;
    else yield frame;
  }
}

/**
 * Waits until a container has ended, or its monitor is held back because nobody takes more of its output. Service and client are
 * in this process and move something in each turn of its event loop as long as they can; so a monitor that is in the same send()
 * after ten turns, having logged nothing in between, stays there.
 */
async function endedOrHeldBack(bench: Bench, id: string): Promise<void> {
  let hasEnded = false;
  void bench.wait(id).then(() => {
    hasEnded = true;
  });
  const log = join(bench.directory, 'data/execdriver/logs', id, 'container.log');
  let [logged, turns] = [0, 0];
  await until(() => {
    const isSending = processesWith(id).some((pid) => waitingPlace(pid).startsWith('sock_'));
    const { size } = statSync(log);
    turns = isSending && size === logged ? turns + 1 : 0;
    logged = size;
    return hasEnded || turns === 10;
  });
}

/** The kernel's function that a process sleeps in; see proc_pid_wchan(5). */
function waitingPlace(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/wchan`, 'utf8');
  } catch {
    // Gone meanwhile.
    return '';
  }
}

suite('stdio', { skip }, () => {
  test('who attaches before the start sees the first byte, stdout and stderr apart, and then the exit', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = newId();
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const attached = bench.attach(id, { ready: resolve });
    await ready;
    await bench.run(['sh', '-c', 'echo out; echo err >&2; printf unfinished; exit 3'], {}, id);
    const { stdout, stderr, code } = await attached;
    assert.deepEqual([`${stdout}`, `${stderr}`, code], ['out\nunfinished', 'err\n', 3]);
  });

  test('20 MB arrive whole at those attached and in the log', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = newId();
    const attached = [bench.attach(id), bench.attach(id)];
    // Of a log of the usual size a slow machine, which rotates in time, has not kept the beginning.
    const log = { options: { 'max-size': '-1' } };
    await bench.run(['sh', '-c', 'yes "the quick brown fox jumps over the lazy dog" | head -c 20000001'], { log }, id);
    const expected = sha256('the quick brown fox jumps over the lazy dog\n'.repeat(460_000).slice(0, 20_000_001));
    for (const { stdout, code } of await Promise.all(attached)) {
      assert.equal(sha256(stdout), expected);
      assert.equal(code, 0);
    }
    assert.equal(sha256(await bench.logs(id)), expected);
  });

  test('a client that takes nothing is dropped alone, and the container goes on', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = newId();
    async function* open(): AsyncGenerator<AttachRequest> {
      const value = { id, stdin: false, stdout: true, stderr: true, logs: false, follow: true, generation: 0 };
      yield { frame: { $case: 'open', value } };
    }
    const lazy = bench.clients.stream.attach(open())[Symbol.asyncIterator]();
    await lazy.next();
    const other = bench.attach(id);
    await bench.run(['sh', '-c', 'head -c 60000000 /dev/zero'], {}, id);
    const { stdout, code } = await other;
    assert.deepEqual([stdout.length, code], [60_000_000, 0]);
    const failure = await (async () => {
      for (let next = await lazy.next(); !next.done; next = await lazy.next());
    })().catch((error: unknown) => error);
    assert.ok(isServiceError(failure, 'CLIENT_TOO_SLOW'), String(failure));
  });

  test('what a client has yet to take comes, though the container is removed as soon as it has ended', async () => {
    await using bench = await openBench();
    await bench.init();
    // From what the calls alone can hold to what waits at the monitor too.
    for (const size of [1_300_000, 1_480_000, 1_660_000]) {
      const id = newId();
      async function* open(): AsyncGenerator<AttachRequest> {
        const value = { id, stdin: false, stdout: true, stderr: true, logs: false, follow: true, generation: 0 };
        yield { frame: { $case: 'open', value } };
      }
      const frames = bench.clients.stream.attach(open())[Symbol.asyncIterator]();
      await frames.next();
      await bench.run(['sh', '-c', `head -c ${size} /dev/zero`], {}, id);
      await endedOrHeldBack(bench, id);
      await bench.clients.process.removeContainer({ id, keepLogs: false }).catch((error: unknown) => {
        // More was at the monitor than there is room for on the way.
        assert.ok(isServiceError(error, 'RUNNING'), String(error));
      });
      let taken = 0;
      for (let next = await frames.next(); !next.done; next = await frames.next()) {
        if (next.value.frame?.$case === 'stdout') taken += next.value.frame.value.length;
      }
      assert.equal(taken, size);
    }
  });

  test('a container that has been attached to its end leaves no open file', async () => {
    await using bench = await openBench();
    await bench.init();
    const runAttached = async () => {
      const id = newId();
      const attached = bench.attach(id);
      await bench.run(['true'], {}, id);
      await attached;
      await bench.clients.process.removeContainer({ id, keepLogs: false });
    };
    const openFiles = () => readdirSync('/proc/self/fd').length;
    await runAttached();
    const before = openFiles();
    for (let count = 0; count < 10; count++) await runAttached();
    await until(() => openFiles() < before + 5);
  });

  test('input arrives whole, and its end with it', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = newId();
    const input = randomBytes(8_000_000);
    const pieces = [input.subarray(0, 1), input.subarray(1, 100_000), input.subarray(100_000)];
    const attached = bench.attach(id, { stdin: framesOf(...pieces.map(stdin), closeStdin) });
    await bench.run(['sha256sum'], { openStdin: true, stdinOnce: true }, id);
    const { stdout, code } = await attached;
    assert.equal(`${stdout}`, `${sha256(input)}  -\n`);
    assert.equal(code, 0);
  });

  test('without stdin_once the end of a client’s input is not the end of the container’s', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sh', '-c', 'read a; read b; echo "$a $b"'], { openStdin: true });
    const first = bench.attach(id, { stdin: framesOf(stdin('one\n'), closeStdin) });
    const second = bench.attach(id, { stdin: framesOf(stdin('two\n')) });
    assert.deepEqual([`${(await first).stdout}`, (await second).code], ['one two\n', 0]);
  });

  test('a terminal has the size that it was given, before the start and after', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = newId();
    await bench.clients.process.resizeTerminal({ id, rows: 40, columns: 120 });
    const resized = Promise.withResolvers<void>();
    const size: Frame = { $case: 'resize', value: { rows: 50, columns: 132 } };
    const attached = bench.attach(id, { stdin: framesOf(resized.promise, size, stdin('go\n')) });
    const script =
      'stty size; echo first; read x; while [ "$(stty size)" != "50 132" ]; do sleep 0.01; done; stty size';
    await bench.run(['sh', '-c', script], { tty: true, openStdin: true }, id);
    await until(async () => (await bench.logs(id)).includes('first'));
    resized.resolve();
    const { stdout, code } = await attached;
    assert.equal(`${stdout}`.replaceAll('\r', ''), '40 120\nfirst\ngo\n50 132\n');
    assert.equal(code, 0);
  });

  test('attaching with logs shows what was before and goes on without a hole', async () => {
    await using bench = await openBench();
    await bench.init();
    const script =
      'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; [ $((i % 50)) = 0 ] && sleep 0.02; done; printf end';
    const id = await bench.run(['sh', '-c', script]);
    await until(async () => (await bench.logs(id)).includes('100\n'));
    const { stdout, code } = await bench.attach(id, { logs: true, generation: 1 });
    const expected = `${Array.from({ length: 300 }, (_, index) => `${index + 1}\n`).join('')}end`;
    assert.deepEqual([`${stdout}`, code], [expected, 0]);
  });

  test('detaching leaves the container running', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sh', '-c', 'read a; echo "got $a"'], { openStdin: true });
    const abort = new AbortController();
    async function* open(): AsyncGenerator<AttachRequest> {
      const value = { id, stdin: true, stdout: true, stderr: true, logs: false, follow: true, generation: 0 };
      yield { frame: { $case: 'open', value } };
      await new Promise((resolve) => abort.signal.addEventListener('abort', resolve));
    }
    const call = bench.clients.stream.attach(open(), { signal: abort.signal })[Symbol.asyncIterator]();
    await call.next();
    abort.abort();
    await call.next().catch(() => {});
    const { stdout, code } = await bench.attach(id, { stdin: framesOf(stdin('it\n')) });
    assert.deepEqual([`${stdout}`, code], ['got it\n', 0]);
  });
});

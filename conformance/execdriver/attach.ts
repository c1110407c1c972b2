import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProcessState } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { attachTo, type Current, textOf } from './bench.ts';

/** What goes into containers and comes out of them. */
export function attachSuite(current: Current): void {
  const stdin = (text: string) => ({ $case: 'stdin', value: Buffer.from(text) }) as const;

  describe('execdriver: attach', () => {
    test('a client that attaches before the start sees the first byte; the exit is last, after the streams', async () => {
      const bench = current();
      const id = newId();
      const client = attachTo(bench, { id });
      const ready = await client.next();
      assert.deepEqual(ready, { $case: 'ready', value: { tty: false, running: false } });
      const spec = bench.spec(['sh', '-c', 'echo one; echo two >&2; exit 3']);
      await bench.processes.startContainer({ id, generation: 1, spec });
      const frames = await client.rest();
      assert.deepEqual([textOf(frames, 'stdout'), textOf(frames, 'stderr')], ['one\n', 'two\n']);
      assert.deepEqual(frames.at(-1), { $case: 'exit', value: { code: 3 } });
      assert.equal(frames.filter((frame) => frame?.$case === 'exit').length, 1);
      await bench.remove(id);
    });

    test('one that attaches to a running container is told so, and gets what comes from then on', async () => {
      const bench = current();
      const id = await bench.run(['cat'], { openStdin: true });
      const client = attachTo(bench, { id, stdin: true });
      assert.deepEqual(await client.next(), { $case: 'ready', value: { tty: false, running: true } });
      client.send(stdin('hello\n'));
      await client.until('hello\n');
      await client.detach();
      await bench.remove(id);
    });

    test('with stdin_once the end of the client’s input is the end of the process’s', async () => {
      const bench = current();
      const id = newId();
      const client = attachTo(bench, { id, stdin: true });
      await client.next();
      const spec = bench.spec(['cat'], { openStdin: true, stdinOnce: true });
      await bench.processes.startContainer({ id, generation: 1, spec });
      client.send(stdin('all of it'));
      client.send({ $case: 'closeStdin', value: {} });
      const frames = await client.rest();
      assert.equal(textOf(frames, 'stdout'), 'all of it');
      assert.deepEqual(frames.at(-1), { $case: 'exit', value: { code: 0 } });
      await bench.remove(id);
    });

    test('without open_stdin a process finds its input at its end', async () => {
      const bench = current();
      const id = await bench.run(['cat']);
      assert.equal((await bench.exit(id))?.code, 0);
      await bench.remove(id);
    });

    test('several clients see the same', async () => {
      const bench = current();
      const id = newId();
      const clients = [attachTo(bench, { id }), attachTo(bench, { id })];
      for (const client of clients) await client.next();
      await bench.processes.startContainer({ id, generation: 1, spec: bench.spec(['echo', 'to all']) });
      for (const client of clients) assert.equal(textOf(await client.rest(), 'stdout'), 'to all\n');
      await bench.remove(id);
    });

    test('only the streams asked for come', async () => {
      const bench = current();
      const id = newId();
      const client = attachTo(bench, { id, stderr: false });
      await client.next();
      const spec = bench.spec(['sh', '-c', 'echo out; echo err >&2']);
      await bench.processes.startContainer({ id, generation: 1, spec });
      const frames = await client.rest();
      assert.deepEqual([textOf(frames, 'stdout'), textOf(frames, 'stderr')], ['out\n', '']);
      await bench.remove(id);
    });

    test('cancelling the call detaches: the container goes on', async () => {
      const bench = current();
      const id = await bench.run(['sleep', '600']);
      const client = attachTo(bench, { id });
      await client.next();
      await client.detach();
      const { process } = await bench.processes.getContainer({ id });
      assert.equal(process?.state, ProcessState.PROCESS_STATE_RUNNING);
      await bench.remove(id);
    });

    test('with logs, what was written so far comes first, then what is written from now on', async () => {
      const bench = current();
      const id = await bench.run(['cat'], { openStdin: true, stdinOnce: true });
      const early = attachTo(bench, { id, stdin: true });
      await early.next();
      early.send(stdin('before\n'));
      await early.until('before\n');
      const late = attachTo(bench, { id, logs: true });
      await late.next();
      await late.until('before\n');
      early.send(stdin('after\n'));
      early.send({ $case: 'closeStdin', value: {} });
      const frames = await late.rest();
      assert.equal(textOf(frames, 'stdout'), 'after\n');
      assert.equal(frames.at(-1)?.$case, 'exit');
      await early.detach();
      await bench.remove(id);
    });

    test('with logs and without follow it ends after them', async () => {
      const bench = current();
      const id = await bench.run(['sh', '-c', 'echo one; sleep 600']);
      const watching = attachTo(bench, { id, logs: true });
      await watching.until('one\n');
      await watching.detach();
      const client = attachTo(bench, { id, logs: true, follow: false });
      assert.equal((await client.next())?.$case, 'ready');
      assert.equal(textOf(await client.rest(), 'stdout'), 'one\n');
      await bench.remove(id);
    });

    test('one that joins a generation that has ended is told its exit', async () => {
      const bench = current();
      const id = await bench.run(['sh', '-c', 'exit 4']);
      await bench.exit(id);
      const client = attachTo(bench, { id, generation: 1 });
      assert.deepEqual(await client.next(), { $case: 'ready', value: { tty: false, running: false } });
      assert.deepEqual(await client.rest(), [{ $case: 'exit', value: { code: 4 } }]);
      await bench.remove(id);
    });

    test('a terminal is told of in the first message, and may be resized', async () => {
      const bench = current();
      const id = await bench.run(['cat'], { openStdin: true, tty: true });
      const client = attachTo(bench, { id, stdin: true });
      assert.deepEqual(await client.next(), { $case: 'ready', value: { tty: true, running: true } });
      client.send({ $case: 'resize', value: { rows: 40, columns: 100 } });
      await bench.processes.resizeTerminal({ id, rows: 50, columns: 120 });
      client.send(stdin('hello\n'));
      await client.until('hello');
      await client.detach();
      await bench.remove(id);
    });

    test('a first frame that does not open is INVALID_ARGUMENT', async () => {
      async function* headless() {
        yield { frame: stdin('x') };
      }
      await refused(current().streams.attach(headless()), 'INVALID_ARGUMENT');
    });

    test('a client that takes nothing while it is far behind is dropped alone: CLIENT_TOO_SLOW', async () => {
      const bench = current();
      const id = await bench.run(['cat'], { openStdin: true, stdinOnce: true });
      const slow = attachTo(bench, { id });
      await slow.next();
      const fast = attachTo(bench, { id, stdin: true });
      await fast.next();
      const piece = Buffer.alloc(64 * 1024, 'x');
      const count = 160;
      let received = 0;
      // Each piece is sent when the one before is back, so that the container is never held up by its input.
      for (let i = 0; i < count; i += 1) {
        fast.send({ $case: 'stdin', value: piece });
        while (received < (i + 1) * piece.length) {
          const frame = await fast.next();
          assert(frame?.$case === 'stdout', `expected stdout, got ${frame?.$case}`);
          received += frame.value.length;
        }
      }
      // It has its second of patience, and reads what the connection held by then.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      fast.send({ $case: 'closeStdin', value: {} });
      assert.equal((await fast.rest()).at(-1)?.$case, 'exit');
      await refused(slow.rest(), 'RESOURCE_EXHAUSTED', 'CLIENT_TOO_SLOW');
      await bench.remove(id);
    });
  });
}

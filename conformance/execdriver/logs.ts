import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LogPacking, LogStream, type ReadLogsRequest } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import { newId, type Target } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import type { Current } from './bench.ts';

/** What containers wrote. */
export function logSuite(target: Target, current: Current): void {
  const read = async (request: Partial<ReadLogsRequest>) => {
    const wish = { stdout: true, stderr: true, tail: -1, ...request };
    const messages = await Array.fromAsync(current().streams.readLogs(wish));
    return messages.flatMap(({ more, ...first }) => [first, ...more]);
  };
  const text = (lines: Awaited<ReturnType<typeof read>>) => lines.map(({ line }) => line.toString());
  const written = async (script: string) => {
    const { run, exit } = current();
    const id = await run(['sh', '-c', script]);
    await exit(id);
    return id;
  };

  describe('execdriver: logs', () => {
    test('ReadLogs gives whole lines with their ends, oldest first, with their streams and times', async () => {
      const id = await written('echo one; echo two >&2; echo three');
      const lines = await read({ id });
      const out = lines.filter(({ stream }) => stream === LogStream.LOG_STREAM_STDOUT);
      const err = lines.filter(({ stream }) => stream === LogStream.LOG_STREAM_STDERR);
      assert.deepEqual([text(out), text(err)], [['one\n', 'three\n'], ['two\n']]);
      for (const { timeNs } of lines) assert(timeNs > 0n);
      await current().remove(id);
    });

    test('the last part without an end comes too', async () => {
      const id = await written('echo one; echo -n part');
      assert.deepEqual(text(await read({ id })), ['one\n', 'part']);
      await current().remove(id);
    });

    test('only the streams asked for come, and of them the last lines asked for', async () => {
      const id = await written('echo 1; echo 2; echo x >&2; echo 3');
      assert.deepEqual(text(await read({ id, stderr: false })), ['1\n', '2\n', '3\n']);
      assert.deepEqual(text(await read({ id, stdout: false })), ['x\n']);
      assert.deepEqual(text(await read({ id, stderr: false, tail: 2 })), ['2\n', '3\n']);
      assert.deepEqual(text(await read({ id, stderr: false, tail: 10 })), ['1\n', '2\n', '3\n']);
      assert.deepEqual(text(await read({ id, tail: 0 })), []);
      await current().remove(id);
    });

    test('lines are bounded by time', async () => {
      const id = await written('echo one; sleep 0.05; echo two');
      const [one, two] = await read({ id });
      assert(one && two && two.timeNs > one.timeNs);
      assert.deepEqual(text(await read({ id, sinceNs: two.timeNs })), ['two\n']);
      assert.deepEqual(text(await read({ id, untilNs: one.timeNs })), ['one\n']);
      await current().remove(id);
    });

    test('batched, the same lines come', async () => {
      const id = await written('echo one; echo two >&2; echo three');
      assert.deepEqual(text(await read({ id, batched: true })).toSorted(), text(await read({ id })).toSorted());
      await current().remove(id);
    });

    const packed = async (request: Partial<ReadLogsRequest>) => {
      const wish = { stdout: true, stderr: true, tail: -1, packing: LogPacking.LOG_PACKING_LINES, ...request };
      const messages = await Array.fromAsync(current().streams.readLogs(wish));
      return {
        bytes: Buffer.concat(messages.map((each) => each.packed)),
        cursor: messages.at(-1)?.cursor ?? '',
        messages,
      };
    };
    /** Stream and text behind each head. */
    const pieces = (bytes: Buffer) => {
      const found: [number, string][] = [];
      for (let at = 0; at < bytes.length; ) {
        const length = bytes.readUInt32BE(at + 4);
        found.push([bytes.readUInt32BE(at) >>> 24, bytes.toString('latin1', at + 8, at + 8 + length)]);
        at += 8 + length;
      }
      return found;
    };
    const linesOf = (bytes: Buffer, stream: number) =>
      pieces(bytes).flatMap(([of, line]) => (of === stream ? [line] : []));

    test('packed, each line is behind a head with its stream and length; runs may join neighbours; bare has no heads', async () => {
      const id = await written('echo one; echo -n part');
      const { bytes } = await packed({ id });
      assert.deepEqual(pieces(bytes), [
        [1, 'one\n'],
        [1, 'part'],
      ]);
      const runs = await packed({ id, packing: LogPacking.LOG_PACKING_RUNS });
      assert.equal(linesOf(runs.bytes, 1).join(''), 'one\npart');
      const bare = await packed({ id, packing: LogPacking.LOG_PACKING_BARE });
      assert.equal(bare.bytes.toString(), 'one\npart');
      await current().remove(id);
    });

    test('packed, stdout and stderr stay apart, each in order', async () => {
      const id = await written('echo one; echo two >&2; echo three');
      const { bytes } = await packed({ id });
      assert.deepEqual([linesOf(bytes, 1), linesOf(bytes, 2)], [['one\n', 'three\n'], ['two\n']]);
      await current().remove(id);
    });

    test('packed, times and a prefix stand in front of lines where asked for', async () => {
      const id = await written('echo one');
      const [line] = await read({ id });
      const { bytes } = await packed({ id, timestamps: true, prefix: Buffer.from('a=b ') });
      const [, text = ''] = pieces(bytes)[0] ?? [];
      assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z a=b one\n$/);
      assert.equal(BigInt(Date.parse(`${text.slice(0, 19)}Z`)) * 1_000_000n + BigInt(text.slice(20, 29)), line?.timeNs);
      await current().remove(id);
    });

    test('a cursor goes on behind its message, whatever the tail', async () => {
      const { run, remove, exit } = current();
      const id = await run(['sh', '-c', 'echo one; sleep 0.3; echo two; echo three']);
      const leave = new AbortController();
      const wish = { id, stdout: true, stderr: true, tail: -1, follow: true, packing: LogPacking.LOG_PACKING_BARE };
      let [seen, cursor] = ['', ''];
      for await (const message of current().streams.readLogs(wish, { signal: leave.signal })) {
        seen += message.packed;
        cursor = message.cursor;
        if (seen === 'one\n') break;
      }
      leave.abort();
      await exit(id);
      const rest = await packed({ id, packing: LogPacking.LOG_PACKING_BARE, after: cursor, tail: 0 });
      assert.equal(`${rest.bytes}`, 'two\nthree\n');
      await remove(id);
    });

    test('a packed follower is told when all that there is has been read, though there is no line', async () => {
      const { run, remove } = current();
      const id = await run(['sleep', '600']);
      const wish = { id, stdout: true, stderr: true, tail: 0, follow: true, packing: LogPacking.LOG_PACKING_LINES };
      for await (const { packed: bytes, cursor } of current().streams.readLogs(wish)) {
        assert.deepEqual([bytes.length, cursor === ''], [0, false]);
        break;
      }
      await remove(id);
    });

    test('following ends when the container has ended and all is read', async () => {
      const { run, processes, remove, exit } = current();
      const id = await run(['sh', '-c', 'echo one; sleep 0.2; echo two']);
      assert.deepEqual(text(await read({ id, follow: true })), ['one\n', 'two\n']);
      assert.equal((await exit(id))?.code, 0);
      assert.deepEqual(text(await read({ id, follow: true })), ['one\n', 'two\n']);
      await processes.removeContainer({ id });
      await remove(id);
    });

    test('of a container that is not known there is nothing to read', async () => {
      assert.deepEqual(await read({ id: newId() }), []);
      assert.deepEqual(await read({ id: newId(), follow: true }), []);
    });

    test('with the driver none it is FAILED_PRECONDITION, LOGS_UNREADABLE', async () => {
      const { run, exit, remove } = current();
      const id = await run(['echo', 'one'], { log: { driver: 'none', options: {} } });
      await exit(id);
      await refused(read({ id }), 'FAILED_PRECONDITION', 'LOGS_UNREADABLE');
      await refused(packed({ id }), 'FAILED_PRECONDITION', 'LOGS_UNREADABLE');
      await remove(id);
    });

    test('RemoveContainer with keep_logs keeps them for the next generation; without, they go', async () => {
      const { processes, spec, exit, remove } = current();
      const id = await written('echo one');
      await processes.removeContainer({ id, keepLogs: true });
      await refused(processes.getContainer({ id }), 'NOT_FOUND', 'CONTAINER_NOT_FOUND');
      await processes.startContainer({ id, generation: 2, spec: spec(['echo', 'two']) });
      await exit(id);
      assert.deepEqual(text(await read({ id })), ['one\n', 'two\n']);
      await remove(id);
      assert.deepEqual(await read({ id }), []);
    });

    test('logs are there after a restart', { skip: target.restart === undefined }, async () => {
      const id = await written('echo one');
      await target.restart?.();
      assert.deepEqual(text(await read({ id })), ['one\n']);
      await current().remove(id);
    });
  });
}

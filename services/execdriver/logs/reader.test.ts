import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import { until as eventually } from '../testing/host.ts';
import { shiftLogFiles } from './files.ts';
import type { LogStream } from './format.ts';
import { type LogQuery, readLog, readLogBytes } from './reader.ts';
import { blockSize } from './source.ts';

const both = new Set<LogStream>(['stdout', 'stderr']);
const all: LogQuery = { streams: both, tail: undefined, sinceNs: 0n, untilNs: 0n, until: undefined, after: '' };
const never = new AbortController().signal;

/** The monitor's record; seconds after 2026-01-02 03:04:00. */
function record(seconds: number, stream: LogStream, tag: 'F' | 'P', text: string | Buffer): Buffer {
  const time = `2026-01-02T03:04:${String(seconds).padStart(2, '0')}.000000005+00:00`;
  return Buffer.concat([Buffer.from(`${time} ${stream} ${tag} `), Buffer.from(text), Buffer.from('\n')]);
}
const out = (text: string | Buffer, seconds = 0) => record(seconds, 'stdout', 'F', text);
const err = (text: string | Buffer, seconds = 0) => record(seconds, 'stderr', 'F', text);
const part = (text: string | Buffer, stream: LogStream = 'stdout') => record(0, stream, 'P', text);
const startNs = BigInt(Date.parse('2026-01-02T03:04:00Z')) * 1_000_000n + 5n;

suite('reading logs', () => {
  let directory = '';
  const write = (...records: Buffer[]) => writeFileSync(join(directory, 'container.log'), Buffer.concat(records));
  const append = (...records: Buffer[]) => appendFileSync(join(directory, 'container.log'), Buffer.concat(records));
  const read = async (query: Partial<LogQuery> = {}) => {
    const lines: string[] = [];
    for await (const block of readLog(directory, { ...all, ...query }, never)) {
      for (const { stream, line } of block.lines)
        lines.push(`${stream === 'stdout' ? 'o' : 'e'}:${line.toString('latin1')}`);
    }
    return lines;
  };
  /** What comes when something happens right after the asking, before a byte has been read. */
  const readWhile = async (happens: () => void, query: Partial<LogQuery> = {}) => {
    const reading = readLog(directory, { ...all, ...query }, never);
    const asked = reading.next();
    happens();
    const lines: string[] = [];
    for (let next = await asked; !next.done; next = await reading.next()) {
      lines.push(...next.value.lines.map(({ line }) => `${line}`));
    }
    return lines;
  };
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'longshore-log-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('lines come in order, with their ends and times', async () => {
    write(out('one'), err('two', 1), out(''));
    assert.deepEqual(await read(), ['o:one\n', 'e:two\n', 'o:\n']);
    const times: bigint[] = [];
    for await (const { lines } of readLog(directory, all, never)) times.push(...lines.map(({ timeNs }) => timeNs));
    assert.deepEqual(times, [startNs, startNs + 1_000_000_000n, startNs]);
  });

  test('a line that was read in parts is one line, though the other stream wrote in between', async () => {
    write(part('ab'), err('between'), part('cd'), part('12', 'stderr'), out('ef'), err('3'));
    assert.deepEqual(await read(), ['e:between\n', 'o:abcdef\n', 'e:123\n']);
  });

  test('the last line may have no end', async () => {
    write(out('one'), part('unfinished'));
    assert.deepEqual(await read(), ['o:one\n', 'o:unfinished']);
  });

  test('any bytes but the line end are kept as they are', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => value).filter((value) => value !== 10));
    write(out(bytes));
    assert.deepEqual(await read(), [`o:${bytes.toString('latin1')}\n`]);
  });

  test('one stream can be read alone', async () => {
    write(out('one'), err('two'), out('three'));
    assert.deepEqual(await read({ streams: new Set(['stderr']) }), ['e:two\n']);
  });

  test('the tail counts lines of the streams asked for, across files and parts', async () => {
    writeFileSync(join(directory, 'container.log.1'), Buffer.concat([out('1'), out('2'), part('3-')]));
    write(err('e'), out('3'), out('4'), part('5'));
    assert.deepEqual(await read({ tail: 2 }), ['o:4\n', 'o:5']);
    assert.deepEqual(await read({ tail: 3 }), ['o:3-3\n', 'o:4\n', 'o:5']);
    assert.deepEqual(await read({ tail: 4 }), ['e:e\n', 'o:3-3\n', 'o:4\n', 'o:5']);
    assert.deepEqual(await read({ tail: 2, streams: new Set(['stderr']) }), ['e:e\n']);
    assert.deepEqual(await read({ tail: 0 }), []);
    assert.equal((await read({ tail: 100 })).length, 6);
  });

  test('the tail of a large log is found from its end', async () => {
    write(...Array.from({ length: 20_000 }, (_, index) => out(`line ${index}`)));
    assert.deepEqual(await read({ tail: 2 }), ['o:line 19998\n', 'o:line 19999\n']);
  });

  test('bounds in time are kept', async () => {
    write(out('0', 0), out('1', 1), out('2', 2), out('3', 3));
    const second = 1_000_000_000n;
    assert.deepEqual(await read({ sinceNs: startNs + second, untilNs: startNs + 2n * second }), ['o:1\n', 'o:2\n']);
  });

  test('a record that a crash has cut is passed over', async () => {
    write(out('one'), Buffer.from('\0\0\0\0\n'), Buffer.from('2026-01-02T03:04:00.0000\n'), out('two'));
    assert.deepEqual(await read(), ['o:one\n', 'o:two\n']);
  });

  test('there is nothing to read where nothing is', async () => {
    rmSync(directory, { recursive: true });
    assert.deepEqual(await read(), []);
    await import('node:fs').then(({ mkdirSync }) => mkdirSync(directory));
  });

  test('what is written after the asking is not read', async () => {
    write(out('one'), out('two'));
    const grow = () => append(out('three'), err('four'));
    assert.deepEqual(await readWhile(grow), ['one\n', 'two\n']);
    assert.deepEqual(await readWhile(grow, { tail: 1 }), ['four\n']);
    assert.deepEqual(await readWhile(grow, { tail: 2, streams: new Set(['stdout']) }), ['three\n', 'three\n']);
  });

  test('a reader that is slower than the writer comes to the end all the same', async () => {
    const lines = Array.from({ length: 5000 }, (_, index) => out(`line ${index}`));
    write(...lines);
    let count = 0;
    for await (const block of readLog(directory, all, never)) {
      count += block.lines.length;
      assert.ok(count <= lines.length);
      append(...lines.slice(0, 2 * block.lines.length));
    }
    assert.equal(count, lines.length);
  });

  test('a line that has no end yet is given as far as it was written when it was asked for', async () => {
    write(out('one'), part('unfinished'));
    const finish = () => append(part(' busi'), out('ness'));
    assert.deepEqual(await readWhile(finish), ['one\n', 'unfinished']);
    write(out('one'), part('unfinished'));
    assert.deepEqual(await readWhile(finish, { tail: 1 }), ['unfinished']);
    const two = out('two');
    write(out('one'), two.subarray(0, 30));
    assert.deepEqual(await readWhile(() => append(two.subarray(30))), ['one\n']);
  });

  test('a rotation after the asking takes nothing away and adds nothing', async () => {
    const old = Array.from({ length: 5000 }, (_, index) => `line ${index}\n`);
    const records = old.map((line) => out(line.trim()));
    for (const tail of [undefined, 4000, 1]) {
      writeFileSync(join(directory, 'container.log.1'), Buffer.concat(records.slice(0, 2500)));
      write(...records.slice(2500));
      const rotate = () => {
        shiftLogFiles(directory, 2);
        appendFileSync(join(directory, 'container.log.1'), out('before it was reopened'));
        write(out('new'));
      };
      assert.deepEqual(await readWhile(rotate, { tail }), old.slice(-(tail ?? old.length)));
    }
  });

  test('the first file of a log that appears after the asking is not read', async () => {
    assert.deepEqual(await readWhile(() => write(out('new'))), []);
  });

  test('a log that is emptied by hand ends there', async () => {
    writeFileSync(join(directory, 'container.log.1'), out('one'));
    write(out('two'));
    assert.deepEqual(await readWhile(() => truncateSync(join(directory, 'container.log.1'))), ['two\n']);
  });

  test('a follower’s tail begins where it was asked for, and all that comes then comes once', async () => {
    const ended = Promise.resolve();
    write(out('one'), out('two'));
    const grow = () => append(out('three'), out('four'));
    assert.deepEqual(await readWhile(grow, { tail: 1, until: ended }), ['two\n', 'three\n', 'four\n']);
    assert.deepEqual(await readWhile(grow, { tail: 0, until: ended }), ['three\n', 'four\n']);
  });

  test('a log of many blocks comes whole and in order, whatever lengths its lines have', async () => {
    const line = (index: number) => `${index} ${'.'.repeat((index * 7919) % (index % 500 === 0 ? 30_000 : 400))}`;
    const lines = Array.from({ length: 12_000 }, (_, index) => line(index));
    const records = lines.map((text) => out(text));
    writeFileSync(join(directory, 'container.log.1'), Buffer.concat(records.slice(0, 7000)));
    write(...records.slice(7000));
    const expected = lines.map((text) => `o:${text}\n`);
    assert.deepEqual(await read(), expected);
    assert.deepEqual(await read({ until: Promise.resolve() }), expected);
    assert.deepEqual(await read({ tail: 9000 }), expected.slice(-9000));
  });

  test('what is written while a full block is worked on is seen without a further change', async () => {
    const ended = Promise.withResolvers<void>();
    // The reader's buffer is full, and the file at its end: what is read ahead is nothing.
    write(out('x'.repeat(blockSize - out('').length)));
    const following = readLog(directory, { ...all, until: ended.promise }, never);
    await following.next();
    using watcher = watching(directory);
    append(out('more'));
    await watcher.changed;
    const { value } = await following.next();
    assert.deepEqual(
      (value?.lines ?? []).map(({ line }: { line: Buffer }) => `${line}`),
      ['more\n'],
    );
    ended.resolve();
    assert.equal((await following.next()).done, true);
  });

  test('a reader that goes away leaves no file open', async () => {
    write(...Array.from({ length: 20_000 }, (_, index) => out(`${index} ${'.'.repeat(100)}`)));
    for (let round = 0; round < 20; round += 1) {
      for await (const { lines } of readLog(directory, all, never)) if (lines.length > 0) break;
    }
    const open = readdirSync('/proc/self/fd').filter((fd) => targetOf(fd).startsWith(directory));
    assert.deepEqual(open, []);
  });

  test('following crosses rotations, and ends when the container has ended and all is read', async () => {
    write(out('0'));
    const ended = Promise.withResolvers<void>();
    const lines: string[] = [];
    const following = (async () => {
      for await (const block of readLog(directory, { ...all, tail: 1, until: ended.promise }, never)) {
        lines.push(...block.lines.map(({ line }) => `${line}`.trim()));
      }
    })();
    await eventually(() => lines.length === 1);
    for (let index = 1; index <= 50; index++) {
      if (index % 10 === 5) {
        shiftLogFiles(directory, 3);
        // What the monitor writes until it reopens goes into the renamed file.
        appendFileSync(join(directory, 'container.log.1'), out(`${index}`));
        writeFileSync(join(directory, 'container.log.tmp'), '');
        renameSync(join(directory, 'container.log.tmp'), join(directory, 'container.log'));
      } else {
        append(out(`${index}`));
      }
      if (index % 7 === 0) await eventually(() => lines.length === index + 1);
    }
    append(out('last'));
    ended.resolve();
    await following;
    assert.deepEqual(lines, [...Array.from({ length: 51 }, (_, index) => `${index}`), 'last']);
  });

  test('parts are handed on at once where bytes are asked for', async () => {
    write(out('one'), part('prompt> '));
    const ended = Promise.withResolvers<void>();
    let seen = '';
    const following = (async () => {
      for await (const { bytes } of readLogBytes(directory, { streams: both, until: ended.promise }, never))
        seen += bytes;
    })();
    await eventually(() => seen === 'one\nprompt> ');
    append(out('answer'));
    await eventually(() => seen === 'one\nprompt> answer\n');
    ended.resolve();
    await following;
  });
});

function watching(directory: string): Disposable & { changed: Promise<unknown> } {
  const watcher = watch(directory);
  return { changed: once(watcher, 'change').then(() => immediate()), [Symbol.dispose]: () => watcher.close() };
}

function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return '';
  }
}

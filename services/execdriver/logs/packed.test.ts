import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { shiftLogFiles } from './files.ts';
import type { LogStream } from './format.ts';
import { unpackLines, unpackRuns } from './lines.ts';
import { type Form, type LogQuery, readPacked } from './reader.ts';

const all: LogQuery = {
  streams: new Set<LogStream>(['stdout', 'stderr']),
  tail: undefined,
  sinceNs: 0n,
  untilNs: 0n,
  until: undefined,
  after: '',
};
const lines: Form = { packing: 'lines', timestamps: false, prefix: Buffer.alloc(0) };
const never = new AbortController().signal;

function record(stream: LogStream, tag: 'F' | 'P', text: string, second = 0, offset = '+00:00'): string {
  return `2026-01-02T03:04:${String(second).padStart(2, '0')}.000000005${offset} ${stream} ${tag} ${text}\n`;
}

/** Whole lines as `o:text`, in the order in which they end, of records in some order. */
function linesOf(records: readonly { stream: LogStream; isPartial: boolean; text: string }[]): string[] {
  const begun = { stdout: '', stderr: '' };
  return records.flatMap(({ stream, isPartial, text }) => {
    begun[stream] += text;
    if (isPartial) return [];
    const line = `${stream}:${begun[stream]}\n`;
    begun[stream] = '';
    return [line];
  });
}

/** Repeatable chance; xorshift32 (Marsaglia 2003). */
function chanceOf(seed: number) {
  let state = seed;
  return (below: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function someRecords(chance: (below: number) => number, count: number) {
  return Array.from({ length: count }, (_, index) => ({
    stream: chance(3) === 0 ? ('stderr' as const) : ('stdout' as const),
    isPartial: chance(4) === 0,
    text: `${index}`.repeat(chance(5)),
  }));
}

suite('packed logs', () => {
  let directory = '';
  const write = (text: string) => writeFileSync(join(directory, 'container.log'), text);
  const read = async (query: Partial<LogQuery> = {}, form: Partial<Form> = {}) => {
    const pieces = await Array.fromAsync(readPacked(directory, { ...all, ...query }, { ...lines, ...form }, never));
    return Buffer.concat(pieces.map(({ packed }) => packed));
  };
  const runs = (packed: Buffer) => [...unpackRuns(packed)].map(({ stream, bytes }) => `${stream}:${bytes}`);
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'longshore-log-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('neighbours of a stream are one run of at most 32 KiB, or have no head at all', async () => {
    write(record('stdout', 'F', 'a') + record('stdout', 'F', 'b') + record('stderr', 'F', 'c'));
    assert.deepEqual(runs(await read({}, { packing: 'runs' })), ['stdout:a\nb\n', 'stderr:c\n']);
    assert.equal(`${await read({}, { packing: 'bare' })}`, 'a\nb\nc\n');
    write(record('stdout', 'F', 'x'.repeat(99)).repeat(5000));
    const packed = await read({}, { packing: 'runs' });
    const lengths = [...unpackRuns(packed)].map(({ bytes }) => bytes.length);
    assert.equal(
      lengths.reduce((sum, length) => sum + length, 0),
      500_000,
    );
    assert.ok(Math.max(...lengths) <= 32 * 1024 && lengths.length < 30);
  });

  test('times are in UTC, whatever the monitor’s clock was set to', async () => {
    write(record('stdout', 'F', 'a') + record('stdout', 'F', 'b', 1, '-02:30'));
    const packed = await read({}, { timestamps: true, prefix: Buffer.from('k=v ') });
    assert.deepEqual(runs(packed), [
      'stdout:2026-01-02T03:04:00.000000005Z k=v a\n',
      'stdout:2026-01-02T05:34:01.000000005Z k=v b\n',
    ]);
  });

  test('a line longer than a block is whole, its time that of its beginning', async () => {
    write(record('stdout', 'P', 'x'.repeat(8000)).repeat(50) + record('stdout', 'F', 'end', 9));
    const [line, ...more] = unpackLines(await read({}, { timestamps: true }));
    assert.deepEqual([line?.line.length, more.length], [400_004, 0]);
    assert.equal(line?.timeNs, BigInt(Date.parse('2026-01-02T03:04:00Z')) * 1_000_000n + 5n);
  });

  test('a line without end does not fill memory: it comes in pieces of a mebibyte', async () => {
    write(record('stdout', 'P', 'x'.repeat(8000)).repeat(300));
    const pieces = [...unpackRuns(await read())];
    assert.equal(
      pieces.reduce((sum, { bytes }) => sum + bytes.length, 0),
      2_400_000,
    );
    assert.ok(pieces.length === 3);
  });

  test('any tail is the end of the whole, whatever the parts and files', async () => {
    for (const seed of [3, 14, 159]) {
      const chance = chanceOf(seed);
      const records = someRecords(chance, 300);
      const texts = records.map(({ stream, isPartial, text }) => record(stream, isPartial ? 'P' : 'F', text));
      writeFileSync(join(directory, 'container.log.2'), texts.slice(0, 70).join(''));
      writeFileSync(join(directory, 'container.log.1'), texts.slice(70, 200).join(''));
      write(texts.slice(200).join('') + record('stdout', 'F', 'last') + record('stderr', 'F', 'last'));
      const whole = runs(await read());
      for (const tail of [0, 1, 2, 3, 10, 50, 150, 1000]) {
        assert.deepEqual(
          runs(await read({ tail })),
          tail === 0 ? [] : whole.slice(-tail),
          `seed ${seed}, tail ${tail}`,
        );
      }
    }
  });

  test('a follower that is cut off again and again, across rotations, sees each line once', async () => {
    const chance = chanceOf(Number(process.env.LONGSHORE_SEED ?? 271_828));
    const records = someRecords(chance, 400);
    const text = records.map(({ stream, isPartial, text }) => record(stream, isPartial ? 'P' : 'F', text)).join('');
    write('');
    let [seen, after]: [string[], string] = [[], ''];
    for (let at = 0; at < text.length; ) {
      // Writes are cut within records too, as a reader may see them; only a rotation comes between two.
      const isRotation = chance(8) === 0;
      const end = isRotation ? text.indexOf('\n', Math.min(text.length, at + 200) - 1) + 1 : at + 1 + chance(600);
      const next = Math.min(text.length, end);
      appendFileSync(join(directory, 'container.log'), text.slice(at, next));
      at = next;
      if (isRotation) {
        shiftLogFiles(directory, 9);
        write('');
      }
      if (chance(3) === 0) continue;
      const ended = Promise.withResolvers<void>();
      for await (const piece of readPacked(directory, { ...all, after, until: ended.promise }, lines, never)) {
        seen = [...seen, ...runs(piece.packed)];
        after = piece.cursor;
        // An empty piece says that all that is there has been read; a death can come before that too.
        if (piece.packed.length === 0 || chance(3) === 0) break;
      }
    }
    seen = [...seen, ...runs(await read({ after }))];
    const whole = linesOf(records);
    assert.deepEqual(seen.slice(0, whole.length), whole);
  });

  test('any reading is of the moment when it was asked for, whatever is written or rotated meanwhile', async () => {
    const chance = chanceOf(Number(process.env.LONGSHORE_SEED ?? 161_803));
    const records = someRecords(chance, 400);
    const text = records.map(({ stream, isPartial, text }) => record(stream, isPartial ? 'P' : 'F', text)).join('');
    const tails = [undefined, 1, 2, 10];
    write('');
    for (let at = 0; at < text.length; ) {
      const isRotation = chance(5) === 0;
      const end = isRotation ? text.indexOf('\n', at) + 1 : at + 1 + chance(600);
      const query = { ...all, tail: tails[chance(tails.length)] };
      const expected = runs(await read(query));
      const reading = readPacked(directory, query, lines, never);
      const asked = reading.next();
      appendFileSync(join(directory, 'container.log'), text.slice(at, end));
      at = Math.min(text.length, end);
      if (isRotation) {
        shiftLogFiles(directory, 3);
        write('');
      }
      const seen: string[] = [];
      for (let next = await asked; !next.done; next = await reading.next()) seen.push(...runs(next.value.packed));
      assert.deepEqual(seen, expected, `at ${at}, tail ${query.tail}`);
    }
  });

  test('a cursor of a file that was rotated away for good goes on with the oldest that is left', async () => {
    write(record('stdout', 'F', 'one'));
    const [piece] = await Array.fromAsync(readPacked(directory, all, lines, never));
    shiftLogFiles(directory, 1);
    write(record('stdout', 'F', 'two'));
    assert.deepEqual(runs(await read({ after: piece?.cursor ?? '' })), ['stdout:two\n']);
    await assert.rejects(read({ after: 'no cursor' }), /is no cursor of a log/);
  });
});

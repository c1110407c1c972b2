import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entryOf, paxRecord, tarOf } from '../testing/tar-writer.ts';
import { readTar } from './tar.ts';

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What the reader makes of an archive, a line for each entry. */
async function read(archive: Buffer, size = 1024): Promise<string[]> {
  const lines: string[] = [];
  for await (const entry of readTar(inPieces(archive, size), 'x.tar')) {
    if (entry.type === 'link') {
      lines.push(`${entry.name} ${entry.isSymbolic ? '->' : '='} ${entry.target}`);
    } else {
      const body = Buffer.concat(await Array.fromAsync(entry.body));
      lines.push(`${entry.name}: ${body.toString()}`);
    }
  }
  return lines;
}

const long = `${'folder/'.repeat(40)}file`;

for (const size of [1, 511, 512, 100_000]) {
  test(`files and links come in order, in pieces of ${size} bytes`, async () => {
    const archive = tarOf([
      { name: 'folder/', type: '5' },
      { name: 'folder/a', body: 'x'.repeat(600) },
      { name: 'empty' },
      { name: 'soft', type: '2', linkName: 'folder/a' },
      { name: 'hard', type: '1', linkName: 'folder/a' },
      { name: 'pipe', type: '6' },
    ]);
    assert.deepEqual(await read(archive, size), [
      `folder/a: ${'x'.repeat(600)}`,
      'empty: ',
      'soft -> folder/a',
      'hard = folder/a',
    ]);
  });
}

test('GNU long names and long link names are read', async () => {
  const archive = tarOf([
    { name: '././@LongLink', type: 'L', body: `${long}\0` },
    { name: 'cut', body: '1' },
    { name: '././@LongLink', type: 'K', body: `${long}\0` },
    { name: 'link', type: '2', linkName: 'cut' },
  ]);
  assert.deepEqual(await read(archive), [`${long}: 1`, `link -> ${long}`]);
});

test('pax names, link names and sizes win over the header, for one entry', async () => {
  const archive = tarOf([
    { name: 'pax', type: 'x', body: paxRecord('path', long) + paxRecord('size', '3') + paxRecord('comment', 'ü=ü') },
    { name: 'cut', body: 'abc', size: 0 },
    { name: 'next', body: '2' },
  ]);
  assert.deepEqual(await read(archive), [`${long}: abc`, 'next: 2']);
});

test('a body that nobody reads is passed over', async () => {
  const names: string[] = [];
  const archive = tarOf([{ name: 'a', body: 'x'.repeat(5000) }, { name: 'b' }]);
  for await (const { name } of readTar(inPieces(archive, 100), 'x.tar')) names.push(name);
  assert.deepEqual(names, ['a', 'b']);
});

test('an archive without its end mark ends with its last entry', async () => {
  assert.deepEqual(await read(entryOf({ name: 'a', body: '1' })), ['a: 1']);
});

const damaged = entryOf({ name: 'a' });
damaged.write('b', 0);

for (const [name, archive, problem] of [
  ['text', Buffer.alloc(2048, 'not a tar archive '), 'x.tar: is not a tar archive'],
  ['a header with a wrong checksum', damaged, 'x.tar: is not a tar archive'],
  ['a header that is cut off', entryOf({ name: 'a' }).subarray(0, 100), 'x.tar: is cut off'],
  ['a body that is cut off', entryOf({ name: 'a', body: 'x'.repeat(600) }).subarray(0, 700), 'a: is cut off'],
  ['a size that is a lie', entryOf({ name: 'a', size: 2 ** 32 }), 'a: is cut off'],
  [
    'a pax header without a length',
    tarOf([{ name: 'p', type: 'x', body: 'path=x\n' }]),
    'x.tar: has a malformed pax header',
  ],
  [
    'a pax header that is too short',
    tarOf([{ name: 'p', type: 'x', body: '99 path=x\n' }]),
    'x.tar: has a malformed pax header',
  ],
  [
    'a negative pax size',
    tarOf([{ name: 'p', type: 'x', body: paxRecord('size', '-1') }, { name: 'a' }]),
    'x.tar: has an entry without a valid size',
  ],
  ['a name of megabytes', entryOf({ name: 'p', type: 'L', size: 2 ** 30 }), 'x.tar: has a header of more than 1 MiB'],
  ['a sparse file', tarOf([{ name: 's', type: 'S' }]), 's: is a sparse file; write the archive without --sparse'],
] as const) {
  test(`${name} is refused: ${problem}`, async () => {
    await assert.rejects(read(archive), { code: 'INVALID_ARGUMENT', reason: 'BAD_ARCHIVE', message: problem });
  });
}

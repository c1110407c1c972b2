import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { archiveOf, type Member, memberBytes, patchHeader } from './archive.fixture.ts';
import { type ArchiveEntry, BadArchive } from './entry.ts';
import { defaultLimits } from './limits.ts';
import { paxRecord } from './pax.ts';
import { createTarReader } from './tar-reader.ts';
import { endBlocks, padBlock, writeHeader } from './tar-writer.ts';

interface Read {
  entry: ArchiveEntry;
  content: string;
}

function read(archive: Buffer, pieceSize = archive.length, limits = defaultLimits): Read[] {
  const found: Read[] = [];
  let pieces: Buffer[] = [];
  const reader = createTarReader(
    {
      entry: (entry) => {
        found.push({ entry, content: '' });
      },
      content: (piece) => pieces.push(Buffer.from(piece)),
      contentEnd: () => {
        const last = found.at(-1);
        if (last !== undefined) last.content = Buffer.concat(pieces).toString();
        pieces = [];
      },
    },
    limits,
  );
  for (let offset = 0; offset < archive.length; offset += pieceSize) {
    reader.write(archive.subarray(offset, offset + pieceSize));
  }
  reader.end();
  return found;
}

function refusal(archive: Buffer, limits = defaultLimits): BadArchive {
  try {
    read(archive, archive.length, limits);
  } catch (error) {
    if (error instanceof BadArchive) return error;
    throw error;
  }
  throw new Error('the archive was accepted');
}

function inTemporaryDirectory<T>(use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-tar-'));
  try {
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const everything: Member[] = [
  { path: 'etc', kind: 'directory', mode: 0o1777, uid: 12, gid: 34 },
  {
    path: 'etc/hostname',
    content: 'box\n',
    modified: { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
  },
  { path: 'etc/empty' },
  { path: `${'long/'.repeat(60)}name`, content: 'deep' },
  { path: 'link', kind: 'symlink', linkTarget: `/${'x'.repeat(200)}` },
  { path: 'hard', kind: 'hardlink', linkTarget: 'etc/hostname' },
  { path: 'null', kind: 'char', major: 1, minor: 3 },
  { path: 'disk', kind: 'block', major: 254, minor: 0 },
  { path: 'pipe', kind: 'fifo' },
  {
    path: 'before-the-epoch',
    modified: { seconds: -2, nanoseconds: 500_000_000 },
  },
  { path: 'someone', uid: 3_000_000_000, gid: 2_097_152 },
  {
    path: 'ping',
    content: 'elf',
    xattrs: {
      'security.capability': Buffer.from([1, 0, 10, 255]),
      'user.note': 'a=b\nc',
    },
  },
  { path: 'big-enough', content: 'y'.repeat(3000) },
];

for (const pieceSize of [1, 7, 512, 100_000]) {
  test(`what the writer writes the reader reads, in pieces of ${pieceSize}`, () => {
    const found = read(archiveOf(...everything), pieceSize);
    assert.equal(found.length, everything.length);
    for (const [index, member] of everything.entries()) {
      const { entry, content } = found[index] ?? assert.fail();
      const wanted = {
        kind: 'file',
        linkTarget: '',
        uid: 0,
        gid: 0,
        major: 0,
        minor: 0,
        content: '',
        ...member,
      };
      assert.equal(entry.path.replace(/\/$/, ''), wanted.path);
      assert.equal(entry.kind, wanted.kind);
      assert.equal(entry.linkTarget, wanted.linkTarget);
      assert.deepEqual(
        [entry.uid, entry.gid, entry.major, entry.minor],
        [wanted.uid, wanted.gid, wanted.major, wanted.minor],
      );
      assert.equal(content, wanted.content);
      if (member.modified !== undefined) assert.deepEqual(entry.modified, member.modified);
      for (const [name, value] of Object.entries(member.xattrs ?? {})) {
        assert.deepEqual(entry.xattrs.get(name), Buffer.from(value));
      }
    }
  });
}

for (const format of ['gnu', 'oldgnu', 'pax', 'ustar', 'v7']) {
  test(`reads what tar --format=${format} writes`, () => {
    inTemporaryDirectory((directory) => {
      const isShort = format === 'ustar' || format === 'v7';
      const name = isShort ? `a${'b'.repeat(80)}` : `${'directory/'.repeat(15)}é`;
      mkdirSync(join(directory, 'tree', name), { recursive: true });
      writeFileSync(join(directory, 'tree', name, 'file'), 'content');
      utimesSync(join(directory, 'tree', name, 'file'), 1_600_000_000, 1_600_000_000);
      const archive = execFileSync('tar', [`--format=${format}`, '-C', join(directory, 'tree'), '-c', '.']);
      const file = read(archive).find(({ entry }) => entry.path.endsWith('/file'));
      assert.equal(Buffer.from(file?.entry.path ?? '', 'latin1').toString(), `./${name}/file`);
      assert.equal(file?.content, 'content');
      assert.deepEqual(file?.entry.modified, {
        seconds: 1_600_000_000,
        nanoseconds: 0,
      });
    });
  });
}

test('GNU tar lists what the writer writes', () => {
  const listing = execFileSync('tar', ['-t'], {
    input: archiveOf(...everything),
    encoding: 'utf8',
  });
  assert.equal(listing.trim().split('\n').length, everything.length);
});

test('an archive without its closing zeros is complete', () => {
  assert.equal(read(memberBytes({ path: 'a', content: 'b' }))[0]?.content, 'b');
  assert.deepEqual(read(Buffer.alloc(0)), []);
});

test('bytes after the closing zeros are nobody’s', () => {
  const archive = Buffer.concat([archiveOf({ path: 'a' }), Buffer.alloc(10_240, 'x')]);
  assert.equal(read(archive, 1000).length, 1);
});

test('a number of more than 8 GiB is read from base 256', () => {
  const size = Buffer.alloc(12);
  size[0] = 0x80;
  size.writeUInt32BE(3, 4);
  const header = patchHeader(writeHeader({ ...entryBase, path: 'huge' }), {
    124: size,
  });
  assert.match(refusal(header).problem, /ends in the middle/);
  assert.match(refusal(header, { ...defaultLimits, fileBytes: 3 * 2 ** 32 - 1 }).problem, /larger than/);
});

const entryBase: ArchiveEntry = {
  kind: 'file',
  path: 'entry',
  linkTarget: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  modified: { seconds: 0, nanoseconds: 0 },
  size: 0,
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

function withPax(records: Record<string, string>, member: Member): Buffer {
  const body = Buffer.from(
    Object.entries(records)
      .map(([key, value]) => paxRecord(key, value))
      .join(''),
    'latin1',
  );
  const header = patchHeader(writeHeader({ ...entryBase, path: 'pax', size: body.length }), { 156: 'x' });
  return Buffer.concat([header, body, padBlock(body.length), memberBytes(member), endBlocks()]);
}

test('pax records of the wrong shape are refused with the entry named', () => {
  for (const [records, problem] of [
    [{ size: '12abc' }, /"size"/],
    [{ size: '99999999999999999999' }, /"size"/],
    [{ size: '-5' }, /negative/],
    [{ mtime: 'yesterday' }, /"mtime"/],
    [{ path: 'a\0b' }, /NUL/],
    [{ 'GNU.sparse.major': '1' }, /sparse/],
  ] as const) {
    const error = refusal(withPax(records, { path: 'file' }));
    assert.match(error.problem, problem);
    assert.notEqual(error.entry, '');
  }
});

test('a pax record that claims more bytes than there are is refused', () => {
  for (const body of ['999 path=x\n', '0 path=x\n', 'x path=x\n', '11 path=xyz', '7 pathx\n']) {
    const header = patchHeader(writeHeader({ ...entryBase, path: 'pax', size: body.length }), { 156: 'x' });
    const archive = Buffer.concat([header, Buffer.from(body), padBlock(body.length), memberBytes({ path: 'f' })]);
    assert.match(refusal(archive).problem, /pax/);
  }
});

test('a truncated archive is refused at every length', () => {
  const archive = memberBytes({ path: 'entry', content: 'z'.repeat(700) });
  for (const length of [1, 511, 513, 1000, 1211, 1300]) {
    assert.match(refusal(archive.subarray(0, length)).problem, /ends in the middle/);
  }
});

test('an archive that ends after a pax header is refused', () => {
  const whole = withPax({ comment: 'x' }, { path: 'file' });
  assert.match(refusal(whole.subarray(0, 1024)).problem, /extension header/);
});

test('a wrong checksum is refused and the place is named', () => {
  const archive = Buffer.concat([memberBytes({ path: 'a', content: 'b' }), memberBytes({ path: 'c' })]);
  archive[1024] = 0x7a;
  assert.match(refusal(archive).problem, /byte 1024/);
});

test('other data than an archive is refused', () => {
  assert.match(refusal(Buffer.alloc(4096, 'this is no archive ')).problem, /no tar archive/);
});

test('types that no layer has are refused', () => {
  for (const typeflag of ['S', 'M', 'V', 'D', 'N', 'Z']) {
    const header = patchHeader(writeHeader({ ...entryBase, path: 'strange' }), {
      156: typeflag,
    });
    assert.equal(refusal(header).entry, 'strange');
  }
});

test('a number that is not octal is refused', () => {
  assert.match(refusal(patchHeader(writeHeader(entryBase), { 124: '0000000009\0' })).problem, /octal/);
});

test('counts and sizes beyond the limits are refused', () => {
  const two = archiveOf({ path: 'a', content: 'aaaa' }, { path: 'b', content: 'bbbb' });
  assert.match(refusal(two, { ...defaultLimits, entries: 1 }).problem, /more than 1 entries/);
  assert.match(refusal(two, { ...defaultLimits, fileBytes: 3 }).problem, /larger than 3 bytes/);
  assert.match(refusal(two, { ...defaultLimits, totalBytes: 7 }).problem, /larger than 7 bytes/);
  assert.match(
    refusal(withPax({ comment: 'x'.repeat(99) }, { path: 'c' }), {
      ...defaultLimits,
      headerBytes: 64,
    }).problem,
    /64/,
  );
  assert.match(refusal(archiveOf({ path: 'd'.repeat(5000) })).problem, /4096/);
  const attributed = archiveOf({
    path: 'e',
    xattrs: { 'user.a': '1', 'user.b': '2' },
  });
  assert.match(refusal(attributed, { ...defaultLimits, xattrs: 1 }).problem, /extended attributes/);
});

test('a size on a link brings no content, as in Go', () => {
  const link = patchHeader(writeHeader({ ...entryBase, kind: 'hardlink', path: 'l', linkTarget: 'a' }), {
    124: '00000000100\0',
  });
  const found = read(Buffer.concat([link, archiveOf({ path: 'next', content: 'n' })]));
  assert.deepEqual(
    found.map(({ entry }) => entry.path),
    ['l', 'next'],
  );
});

test('global pax headers change nothing', () => {
  const body = Buffer.from(paxRecord('path', 'elsewhere'), 'latin1');
  const header = patchHeader(writeHeader({ ...entryBase, path: 'g', size: body.length }), { 156: 'g' });
  const archive = Buffer.concat([header, body, padBlock(body.length), archiveOf({ path: 'here' })]);
  assert.equal(read(archive)[0]?.entry.path, 'here');
});

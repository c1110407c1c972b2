import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { entriesOf } from '../../fakes/archive/tar-reader.ts';
import { tarOf, type WrittenEntry } from '../../fakes/archive/tar-writer.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type { FilesView, WriteFilesHeader, WriteFilesRequest } from '../../proto/gen/longshore/execdriver/v1/files.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import type { Current } from './bench.ts';

/** The files of containers: the root is that of the target, with /etc/passwd and /tmp in it. */
export function filesSuite({ rootPath }: { rootPath: string }, current: Current): void {
  const view = (wish: Partial<FilesView> = {}): FilesView => ({
    container: 'box',
    rootPath,
    readOnlyRoot: false,
    mounts: [],
    mappedIds: false,
    ...wish,
  });

  async function* frames(header: Partial<WriteFilesHeader>, archive: Buffer): AsyncGenerator<WriteFilesRequest, void> {
    const complete = { view: view(), path: '/tmp', keepKinds: false, owner: '', ...header };
    yield { frame: { $case: 'header', value: complete } };
    const half = Math.ceil(archive.length / 2);
    for (const chunk of [archive.subarray(0, half), archive.subarray(half)])
      yield { frame: { $case: 'chunk', value: chunk } };
  }
  const write = (entries: readonly WrittenEntry[], header: Partial<WriteFilesHeader> = {}) =>
    current().files.writeFiles(frames(header, tarOf(entries)));

  async function read(path: string, contents = false) {
    const chunks: Buffer[] = [];
    let first: string | undefined;
    for await (const { frame } of current().files.readFiles({ view: view(), path, contents })) {
      if (frame?.$case === 'file') first = frame.value.name;
      else if (frame?.$case === 'chunk') chunks.push(frame.value);
    }
    return { first, entries: entriesOf(Buffer.concat(chunks)) };
  }
  const named = (entries: { name: string }[]) => entries.map(({ name }) => name).sort();

  describe('execdriver: files', () => {
    test('StatFile says what is there: name, size, type and time', async () => {
      const { files } = current();
      const { file } = await files.statFile({ view: view(), path: '/etc/passwd' });
      assert.equal(file?.name, 'passwd');
      assert(file.size > 0);
      assert.equal(file.mode & 0o170000, 0o100000);
      assert(file.modifiedAtNs > 0n);
      const { file: directory } = await files.statFile({ view: view(), path: '/etc/' });
      assert.deepEqual([directory?.name, (directory?.mode ?? 0) & 0o170000], ['etc', 0o040000]);
      assert.equal((await files.statFile({ view: view(), path: '/' })).file?.name, '/');
    });

    test('what is not there is NOT_FOUND, FILE_NOT_FOUND, and the message names both', async () => {
      const { files } = current();
      const refusal = await refused(files.statFile({ view: view(), path: '/no/such' }), 'NOT_FOUND', 'FILE_NOT_FOUND');
      assert.equal(refusal.message, 'Could not find the file /no/such in container box');
      await refused(files.readFiles({ view: view(), path: '/nothing' }), 'NOT_FOUND', 'FILE_NOT_FOUND');
      await refused(write([{ name: 'a', body: 'a' }], { path: '/nothing' }), 'NOT_FOUND', 'FILE_NOT_FOUND');
    });

    test('an archive that is written can be read, whole or in part', async () => {
      const name = newId().slice(0, 12);
      const entries = [{ name: `${name}/` }, { name: `${name}/in/` }, { name: `${name}/in/file`, body: 'content' }];
      assert.equal((await write(entries)).outcome, Outcome.OUTCOME_DONE);
      const whole = await read(`/tmp/${name}`);
      assert.equal(whole.first, name);
      assert.deepEqual(named(whole.entries), [name, `${name}/in`, `${name}/in/file`]);
      const one = await read(`/tmp/${name}/in/file`);
      assert.deepEqual(
        one.entries.map(({ body }) => body.toString()),
        ['content'],
      );
      assert.deepEqual(named((await read(`/tmp/${name}/.`)).entries), ['in', 'in/file']);
    });

    test('`contents` are those of a directory without itself', async () => {
      const name = newId().slice(0, 12);
      await write([{ name: `${name}/` }, { name: `${name}/file`, body: 'x' }]);
      assert.deepEqual(named((await read(`/tmp/${name}`, true)).entries), ['file']);
    });

    test('a compressed archive is inflated', async () => {
      const name = newId().slice(0, 12);
      await current().files.writeFiles(frames({}, gzipSync(tarOf([{ name, body: 'packed' }]))));
      assert.deepEqual(
        (await read(`/tmp/${name}`)).entries.map(({ body }) => body.toString()),
        ['packed'],
      );
    });

    test('a file is replaced; with keep_kinds no directory is, nor a file by one: INVALID_ARGUMENT, BAD_ARCHIVE', async () => {
      const name = newId().slice(0, 12);
      await write([{ name, body: 'old' }]);
      await write([{ name, body: 'new' }], { keepKinds: true });
      assert.equal((await read(`/tmp/${name}`)).entries[0]?.body.toString(), 'new');
      await refused(write([{ name: `${name}/` }], { keepKinds: true }), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
      await write([{ name: `${name}/` }]);
      await refused(write([{ name, body: 'x' }], { keepKinds: true }), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
    });

    test('an archive that leads out or is none is INVALID_ARGUMENT, BAD_ARCHIVE', async () => {
      const { files } = current();
      await refused(write([{ name: '../out', body: 'x' }]), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
      await refused(files.writeFiles(frames({}, Buffer.alloc(1024, 7))), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
    });

    test('nothing is written into a file: INVALID_ARGUMENT, NOT_A_DIRECTORY', async () => {
      const writing = write([{ name: 'a', body: 'a' }], { path: '/etc/passwd' });
      await refused(writing, 'INVALID_ARGUMENT', 'NOT_A_DIRECTORY');
    });

    test('nor into a read-only root or mount: PERMISSION_DENIED, READ_ONLY_FILES', async () => {
      const entries = [{ name: 'a', body: 'a' }];
      const readOnly = view({ readOnlyRoot: true });
      const refusal = await refused(write(entries, { view: readOnly }), 'PERMISSION_DENIED', 'READ_ONLY_FILES');
      assert.equal(refusal.message, 'container rootfs is marked read-only');
      const mounted = view({ mounts: [{ source: rootPath, destination: '/tmp', readOnly: true }] });
      const other = await refused(write(entries, { view: mounted }), 'PERMISSION_DENIED', 'READ_ONLY_FILES');
      assert.equal(other.message, 'mounted volume is marked read-only');
    });

    test('a view without absolute paths is INVALID_ARGUMENT, BAD_VIEW; a write without a header BAD_FRAME', async () => {
      const { files } = current();
      await refused(files.statFile({ path: '/' }), 'INVALID_ARGUMENT', 'BAD_VIEW');
      await refused(files.statFile({ view: view({ rootPath: 'here' }), path: '/' }), 'INVALID_ARGUMENT', 'BAD_VIEW');
      async function* chunkFirst(): AsyncGenerator<WriteFilesRequest, void> {
        yield { frame: { $case: 'chunk', value: Buffer.alloc(512) } };
      }
      await refused(files.writeFiles(chunkFirst()), 'INVALID_ARGUMENT', 'BAD_FRAME');
    });
  });
}

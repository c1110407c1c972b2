import assert from 'node:assert/strict';
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { openBench, type SpecParts, skip } from './testing/harness.ts';

const bound = (source: string, createSource: boolean): SpecParts => ({
  mounts: [{ type: 'bind', source, destination: '/bound', createSource }],
});

const notThere = (source: string) => `invalid mount config for type "bind": bind source path does not exist: ${source}`;

suite('sources of binds', { skip }, () => {
  test('a missing one is made with its parents as root’s when that is asked for, and stays', async () => {
    await using bench = await openBench();
    await bench.init();
    const source = `${bench.directory}/made/for/it`;
    const umask = process.umask(0o077);
    try {
      await bench.wait(await bench.run(['sh', '-c', 'echo hi > /bound/file'], bound(source, true)));
    } finally {
      process.umask(umask);
    }
    assert.equal(readFileSync(`${source}/file`, 'utf8'), 'hi\n');
    for (const path of [source, `${bench.directory}/made`]) {
      const { mode, uid, gid } = lstatSync(path);
      assert.deepEqual([mode & 0o7777, uid, gid], [0o755, 0, 0]);
    }
  });

  test('a missing one is refused otherwise, and nothing is left of the start', async () => {
    await using bench = await openBench();
    await bench.init();
    const source = `${bench.directory}/missing`;
    const failure = await bench.run(['true'], bound(source, false)).catch((error: unknown) => error);
    assert.ok(isServiceError(failure, 'BAD_SPEC'), String(failure));
    assert.equal(failure.message, notThere(source));
    assert.equal(existsSync(source), false);
    const left: unknown[] = [];
    for await (const { process } of bench.clients.process.listContainers({})) left.push(process);
    assert.deepEqual(left, []);
  });

  test('one that is a file is taken as it is', async () => {
    await using bench = await openBench();
    await bench.init();
    const source = `${bench.directory}/file`;
    writeFileSync(source, 'content');
    writeFileSync(`${bench.root}/bound`, '');
    const id = await bench.run(['cat', '/bound'], bound(source, true));
    await bench.wait(id);
    assert.equal(await bench.logs(id), 'content');
  });

  test('one that cannot be made is refused, not tried for ever', async () => {
    await using bench = await openBench();
    await bench.init();
    symlinkSync(`${bench.directory}/nowhere`, `${bench.directory}/dangling`);
    writeFileSync(`${bench.directory}/file`, '');
    for (const source of ['/proc/longshore/x', `${bench.directory}/dangling`, `${bench.directory}/file/x`]) {
      const failure = await bench.run(['true'], bound(source, true)).catch((error: unknown) => error);
      assert.ok(isServiceError(failure, 'BAD_SPEC'), String(failure));
      assert.match(failure.message, /^invalid mount config for type "bind": /);
    }
  });
});

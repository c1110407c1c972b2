import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { globSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { recordFiles } from '../../kit/record-files.ts';
import { bootEngine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

/** Every file below the root, with its kind, its change time and what is in it. */
function tree(root: string): string[] {
  return globSync('**', { cwd: root })
    .sort()
    .map((path) => {
      const found = lstatSync(join(root, path));
      const content = found.isFile()
        ? createHash('sha256')
            .update(readFileSync(join(root, path)))
            .digest('hex')
        : '';
      return `${path} ${found.mode} ${found.isDirectory() ? '' : found.mtimeMs} ${content}`;
    });
}

function setSchema(path: string, schema: number): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA user_version = ${schema}`);
  database.close();
}

function schemaOf(path: string): number {
  const database = new DatabaseSync(path);
  try {
    return Number(database.prepare('PRAGMA user_version').get()?.user_version);
  } finally {
    database.close();
  }
}

test('a root that a newer version has written is refused by one line, and nothing in it is touched', async (t) => {
  const engine = await bootEngine();
  t.after(async () => {
    await engine.dispose();
    assert.deepEqual(engine.state(), nothing);
  });
  const { dataRoot } = engine;
  await importBusybox(engine);
  await engine.dockerWith(undefined, 'create', '--name', 'kept', '-v', 'vol:/v', 'busybox', 'true');
  assert.equal(await engine.stop(), 0);

  const found = globSync('**/*.db', { cwd: dataRoot }).sort();
  assert.deepEqual(
    found.map((file) => [file, schemaOf(join(dataRoot, file))]),
    Object.entries(recordFiles).sort(),
    'the table of record files is what a boot makes',
  );

  for (const [file, known] of Object.entries(recordFiles)) {
    await t.test(file, async () => {
      const path = join(dataRoot, file);
      setSchema(path, known + 7);
      const before = tree(dataRoot);
      await assert.rejects(engine.start(), (error: Error) => {
        assert.match(error.message, /^the engine ended with 1:/);
        const words = `${path} has schema ${known + 7}, and this version knows schemas up to ${known}: run the newer version again`;
        assert.equal(error.message.split('\n').filter((line) => line.startsWith('longshore:')).length, 1);
        assert.ok(error.message.includes(`longshore: ${words}`), error.message);
        return true;
      });
      assert.deepEqual(tree(dataRoot), before);
      assert.deepEqual(engine.state().processes, []);
      setSchema(path, known);
    });
  }
  await engine.start();
  assert.equal(await engine.dockerWith(undefined, 'ps', '-a', '--format', '{{.Names}}'), 'kept\n');
});

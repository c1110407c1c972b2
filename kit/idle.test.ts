import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { rest } from './idle.ts';
import { openRecords } from './records.ts';

const mebibyte = 1024 * 1024;

/** Memory of our own, in bytes. */
function anonymous(): number {
  return Number(/^Anonymous: +(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]) * 1024;
}

suite('a process at rest', () => {
  test('has given back the pages that its records were read from', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'longshore-idle-'));
    try {
      using records = openRecords(join(directory, 'records.db'), { migrations: ['CREATE TABLE blob (bytes BLOB)'] });
      const fill = () =>
        records.transaction(() => {
          const row = Buffer.alloc(1000);
          for (let count = 0; count < 4000; count += 1) records.prepare('INSERT INTO blob VALUES (?)').run(row);
        });
      const rested = async () => {
        await rest();
        return anonymous();
      };
      await rested();
      const before = await rested();
      fill();
      assert.equal(records.prepare('SELECT sum(length(bytes)) AS sum FROM blob').get()?.sum, 4_000_000);
      const after = await rested();
      assert.ok(after - before < mebibyte, `${after - before} bytes more`);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

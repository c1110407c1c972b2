import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isServiceError } from './errors.ts';
import { openRecords } from './records.ts';
import { refuseNewer } from './records-version.ts';

const first = 'CREATE TABLE layer (id TEXT PRIMARY KEY)';
const second = 'ALTER TABLE layer ADD COLUMN size INTEGER';

function folder() {
  const dir = mkdtempSync(join(tmpdir(), 'kit-records-'));
  return {
    path: join(dir, 'deep', 'records.db'),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

test('records are found again, in a folder that only their owner may enter', () => {
  using at = folder();
  {
    using records = openRecords(at.path, { migrations: [first] });
    records.prepare('INSERT INTO layer VALUES (?)').run('a');
  }
  using records = openRecords(at.path, { migrations: [first] });
  assert.equal(records.prepare('SELECT id FROM layer').get()?.id, 'a');
  assert.equal(statSync(join(at.path, '..')).mode & 0o777, 0o700);
});

test('a commit survives the death of its process at once', () => {
  using at = folder();
  const program = `
    const { openRecords } = await import(${JSON.stringify(import.meta.resolve('./records.ts'))});
    const records = openRecords(${JSON.stringify(at.path)}, { migrations: [${JSON.stringify(first)}] });
    records.transaction(() => records.prepare('INSERT INTO layer VALUES (?)').run('a'));
    process.kill(process.pid, 'SIGKILL');`;
  const died = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
  assert.equal(died.signal, 'SIGKILL', String(died.stderr));
  using records = openRecords(at.path, { migrations: [first] });
  assert.equal(records.prepare('SELECT id FROM layer').get()?.id, 'a');
});

test('a migration keeps a backup of what was before', () => {
  using at = folder();
  {
    using records = openRecords(at.path, { migrations: [first] });
    records.prepare('INSERT INTO layer VALUES (?)').run('a');
    assert(!existsSync(`${at.path}.bak-0`));
  }
  {
    using records = openRecords(at.path, { migrations: [first, second] });
    assert.equal(records.prepare('SELECT size FROM layer').get()?.size, null);
  }
  using backup = openRecords(`${at.path}.bak-1`, { migrations: [first] });
  assert.equal(backup.prepare('SELECT id FROM layer').get()?.id, 'a');
});

test('a migration that fails leaves the records as they were', () => {
  using at = folder();
  openRecords(at.path, { migrations: [first] }).close();
  assert.throws(() => openRecords(at.path, { migrations: [first, `${second}; SELECT no_such_column`] }));
  using records = openRecords(at.path, { migrations: [first] });
  assert.deepEqual(records.prepare('SELECT name FROM pragma_table_info(?)').all('layer').length, 1);
});

test('records of a newer version are refused, naming both schemas', () => {
  using at = folder();
  openRecords(at.path, { migrations: [first, second] }).close();
  assert.throws(
    () => openRecords(at.path, { migrations: [first] }),
    (error) => isServiceError(error, 'RECORDS_TOO_NEW') && /has schema 2.*schemas up to 1.*bak-1/s.test(error.message),
  );
});

test('open records keep other processes out', () => {
  using at = folder();
  using _records = openRecords(at.path, { migrations: [first] });
  const script = `
    import { openRecords } from ${JSON.stringify(join(import.meta.dirname, 'records.ts'))};
    try { openRecords(${JSON.stringify(at.path)}, { migrations: [''] }); } catch (e) { console.log(e.reason); }`;
  const other = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(other.stdout.trim(), 'RECORDS_IN_USE', other.stderr);
});

test('what is no database is named', () => {
  using at = folder();
  openRecords(at.path, { migrations: [] }).close();
  writeFileSync(at.path, 'not a database, but long enough to look at');
  assert.throws(
    () => openRecords(at.path, { migrations: [first] }),
    (error) => isServiceError(error, 'RECORDS_UNREADABLE') && error.message.includes(at.path),
  );
});

test('a transaction that throws changes nothing; an inner one undoes only itself', () => {
  using records = openRecords(':memory:', { migrations: [first] });
  const add = (id: string) => records.prepare('INSERT INTO layer VALUES (?)').run(id);
  assert.throws(() =>
    records.transaction(() => {
      add('lost');
      throw new Error('no');
    }),
  );
  records.transaction(() => {
    add('outer');
    assert.throws(() =>
      records.transaction(() => {
        add('inner');
        throw new Error('no');
      }),
    );
  });
  assert.deepEqual(
    records
      .prepare('SELECT id FROM layer')
      .all()
      .map((row) => row.id),
    ['outer'],
  );
});

test('a transaction that awaits is an error and changes nothing', () => {
  using records = openRecords(':memory:', { migrations: [first] });
  assert.throws(
    () =>
      records.transaction(async () => {
        records.prepare('INSERT INTO layer VALUES (?)').run('a');
      }),
    /must not await/,
  );
  assert.equal(records.prepare('SELECT id FROM layer').get(), undefined);
});

test('a full disk: what does not fit is rolled back and told so, what fits is done, and the reserve is given up', () => {
  using at = folder();
  const { path } = at;
  using records = openRecords(path, { migrations: ['CREATE TABLE blob (bytes BLOB) STRICT'] });
  assert.ok(existsSync(`${path}-reserve`));
  // As SQLite sees it: no more pages.
  const pages = Number(records.prepare('PRAGMA page_count').get()?.page_count);
  records.prepare(`PRAGMA max_page_count = ${pages + 8}`).get();
  const add = (size: number) =>
    records.transaction(() => records.prepare('INSERT INTO blob VALUES (?)').run(Buffer.alloc(size)));
  assert.throws(() => add(1 << 20), { reason: 'NO_SPACE', code: 'RESOURCE_EXHAUSTED' });
  assert.equal(existsSync(`${path}-reserve`), false);
  assert.equal(records.prepare('SELECT count(*) AS n FROM blob').get()?.n, 0);
  add(100);
  assert.equal(records.prepare('SELECT count(*) AS n FROM blob').get()?.n, 1);
});

test('records of a newer version are known by a log that a crash has left, and nothing is written to see it', () => {
  using at = folder();
  const program = `
    const { openRecords } = await import(${JSON.stringify(import.meta.resolve('./records.ts'))});
    const records = openRecords(${JSON.stringify(at.path)}, { migrations: [${JSON.stringify(first)}] });
    records.prepare('PRAGMA user_version = 9').run();
    process.kill(process.pid, 'SIGKILL');`;
  assert.equal(spawnSync(process.execPath, ['--input-type=module', '-e', program]).signal, 'SIGKILL');
  const before = readdirSync(join(at.path, '..'));
  assert.throws(() => refuseNewer(at.path, 8), { reason: 'RECORDS_TOO_NEW' });
  refuseNewer(at.path, 9);
  assert.deepEqual(readdirSync(join(at.path, '..')), before);
  refuseNewer(join(at.path, 'absent'), 1);
});

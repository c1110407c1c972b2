import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { openDiskReserve } from './disk-reserve.ts';
import { diskFull, freeBytes, isDiskFull } from './disk-space.ts';
import { defineErrors, messageOf } from './errors.ts';
import { atRest } from './idle.ts';
import { recordsTooNew } from './records-version.ts';
import { openSyncedLog } from './synced-log.ts';

const errors = defineErrors('kit', {
  recordsInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { path: string }) => `${m.path} is in use by another process`,
  },
  recordsUnreadable: {
    code: 'DATA_LOSS',
    message: (m: { path: string; problem: string }) => `cannot open ${m.path}: ${m.problem}`,
  },
});

/**
 * A service's durable records: one SQLite file, out of which everybody else is kept while it is open. A commit survives the
 * death of any process at once, and a power cut as soon as `synced` resolves. In between lies the disk: nobody else is held up
 * by it, and commits that come together share it.
 */
export interface Records extends Disposable {
  readonly path: string;
  /**
   * The statement for `sql`, prepared once. Take results with `get` and `all`; an `iterate` that is still open when the
   * same statement runs again is reset.
   */
  prepare(sql: string): StatementSync;
  /**
   * Runs `work` and commits, or rolls back what it did when it throws. Must not await. Nests. On a full disk it is run once
   * more, with what was kept free for that; NO_SPACE when that does not help.
   */
  transaction<T>(work: () => T): T;
  /** Resolves when all that has been committed by now survives a power cut. */
  synced(): Promise<void>;
  close(): void;
}

export interface RecordsOptions {
  /** Statements that lead from schema n to n + 1, by n. Never edited once released. */
  migrations: readonly string[];
}

/** Opens or makes the records at `path` (`:memory:` for tests) and brings them to the newest schema, after a backup. */
export function openRecords(path: string, options: RecordsOptions): Records {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Opening may write: what a log holds that a crash has left, and a newer schema.
  if (freeBytes(dirname(path)) < openingNeeds) reserveOf(path).giveUp();
  try {
    return open(path, options);
  } catch (error) {
    throw isDiskFull(error) ? diskFull(path, error) : opened(path, error);
  }
}

const openingNeeds = 512 * 1024;

function open(path: string, options: RecordsOptions): Records {
  const database = new DatabaseSync(path);
  try {
    // Also saves three file locks a commit, and the index of the log is memory of ours, not a file.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    // NORMAL: a commit is a write to the log, which `synced` brings to the disk; checkpoints sync by themselves, in order.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
    // The lock is taken by the first write only; this one makes it now.
    database.exec('BEGIN EXCLUSIVE; COMMIT');
    migrate(database, path, options.migrations);
  } catch (error) {
    database.close();
    throw error;
  }
  return recordsOf(database, path);
}

const reserveOf = (path: string) => openDiskReserve(`${path}-reserve`);

function recordsOf(database: DatabaseSync, path: string): Records {
  const statements = new Map<string, StatementSync>();
  const log = path === ':memory:' ? undefined : openSyncedLog(`${path}-wal`);
  const reserve = path === ':memory:' ? undefined : reserveOf(path);
  reserve?.fill();
  // Up to 2 MiB of pages for each file.
  const leaveRest = atRest(() => database.exec('PRAGMA shrink_memory'));
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  let depth = 0;

  function attempt<T>(work: () => T): T {
    const point = `t${depth}`;
    if (depth === 0) begin.run();
    else database.exec(`SAVEPOINT ${point}`);
    depth += 1;
    try {
      const result = work();
      if (result instanceof Promise) throw new TypeError('a transaction must not await');
      if (depth === 1) commit.run();
      else database.exec(`RELEASE ${point}`);
      if (depth === 1) log?.written();
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some failures, a full disk among them.
      if (database.isTransaction) database.exec(depth === 1 ? 'ROLLBACK' : `ROLLBACK TO ${point}; RELEASE ${point}`);
      throw error;
    } finally {
      depth -= 1;
    }
  }

  /** What the log holds goes into the file, where pages may be free, and the log begins anew. */
  function restartLog(): void {
    try {
      database.exec('PRAGMA wal_checkpoint(RESTART)');
    } catch {
      // It goes on growing.
    }
  }

  const records: Records = {
    path,
    prepare(sql) {
      let statement = statements.get(sql);
      if (statement === undefined) {
        statement = database.prepare(sql);
        statements.set(sql, statement);
      }
      return statement;
    },
    transaction(work) {
      if (depth > 0) return attempt(work);
      try {
        const result = attempt(work);
        reserve?.refill();
        return result;
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        reserve?.giveUp();
        restartLog();
        try {
          return attempt(work);
        } catch (again) {
          throw isDiskFull(again) ? diskFull(path, again) : again;
        }
      }
    },
    synced: async () => log?.synced(),
    close() {
      leaveRest();
      statements.clear();
      log?.close();
      // The last one to close it brings the whole log into the file, synced.
      if (database.isOpen) database.close();
    },
    [Symbol.dispose]() {
      records.close();
    },
  };
  return records;
}

function migrate(database: DatabaseSync, path: string, migrations: readonly string[]): void {
  const found = schemaOf(database);
  const known = migrations.length;
  if (found > known) throw recordsTooNew({ path, found, known });
  if (found === known) return;
  if (found > 0 && path !== ':memory:') backUp(database, path, `${path}.bak-${found}`);
  for (const [schema, sql] of migrations.entries()) {
    if (schema < found) continue;
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(sql);
      database.exec(`PRAGMA user_version = ${schema + 1}`);
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
}

function schemaOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version);
}

/** A whole copy under its final name, or none. */
function backUp(database: DatabaseSync, path: string, backup: string): void {
  const unfinished = `${backup}.unfinished`;
  rmSync(unfinished, { force: true });
  database.prepare('VACUUM INTO ?').run(unfinished);
  syncPath(unfinished);
  renameSync(unfinished, backup);
  syncPath(dirname(path));
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

const sqliteBusy = 5;

function opened(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error;
  if (error.errcode === sqliteBusy) return errors.recordsInUse({ path }, { cause: error });
  const problem = existsSync(path) ? messageOf(error) : `${messageOf(error)} (no such file)`;
  return errors.recordsUnreadable({ path, problem }, { cause: error });
}

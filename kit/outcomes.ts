import { createHash } from 'node:crypto';
import { defineErrors } from './errors.ts';
import type { Records } from './records.ts';

const errors = defineErrors('kit', {
  requestIdReused: {
    code: 'ALREADY_EXISTS',
    message: (m: { requestId: string }) => `request id ${m.requestId} was used for another request: choose a new one`,
  },
});

/** How long an outcome can be asked for again. */
const keptMs = 10 * 60_000;
/** Old outcomes are swept this often, by the way of a commit. */
const sweepMs = 60_000;

/** A mutation that a caller may repeat by its request id. */
export interface Mutation<T> {
  records: Records;
  /** The incoming call. Without one, or when the caller chose no id, nothing can be repeated and nothing is kept. */
  call: { requestId: string; requestIdGiven: boolean; method: string } | undefined;
  /** The request's bytes: the same id with other bytes is refused. */
  request: Uint8Array;
  encode(outcome: T): Uint8Array;
  decode(bytes: Uint8Array): T;
  /**
   * What the outcome must survive before it is told: a power cut, unless it says something of this boot of the host alone
   * (a process, a mount, a namespace); that survives the death of any of our processes.
   */
  survives?: 'power cut' | 'kill';
}

/** Keeps the outcome and, in the same transaction, what `settle` records. Returns the outcome. */
export type Commit<T> = (outcome: T, settle?: () => void) => T;

/**
 * Does `work` once for a request id. A repeat gets the first one's outcome; one that comes while the first still runs
 * waits for it. The same id with another content: ALREADY_EXISTS, REQUEST_ID_REUSED. A failure is not kept: the repeat
 * tries again. Work that returns without `commit` has its outcome kept on its own.
 */
export async function idempotent<T>(mutation: Mutation<T>, work: (commit: Commit<T>) => Promise<T> | T): Promise<T> {
  const { records, call } = mutation;
  const lasting = async <A>(answer: A): Promise<A> => {
    if (mutation.survives !== 'kill') await records.synced();
    return answer;
  };
  if (call === undefined || !call.requestIdGiven) {
    const outcome = await work((outcome, settle) => {
      if (settle !== undefined) records.transaction(settle);
      return outcome;
    });
    return lasting(outcome);
  }

  const table = tableOf(records);
  const hash = createHash('sha256').update(`${call.method}\0`).update(mutation.request).digest('hex');
  const refuseOther = (known: string) => {
    if (known !== hash) throw errors.requestIdReused({ requestId: call.requestId });
  };

  const first = table.running.get(call.requestId);
  if (first !== undefined) {
    refuseOther(first.hash);
    return mutation.decode(await first.outcome);
  }
  const kept = table.find(call.requestId);
  if (kept !== undefined) {
    refuseOther(kept.hash);
    return lasting(mutation.decode(kept.outcome));
  }

  const settled = Promise.withResolvers<Uint8Array>();
  // Without a repeat nobody listens to the failure here; the first caller gets it from `work`.
  settled.promise.catch(() => undefined);
  table.running.set(call.requestId, { hash, outcome: settled.promise });
  try {
    let committed = false;
    const commit: Commit<T> = (outcome, settle) => {
      records.transaction(() => {
        settle?.();
        table.keep(call.requestId, hash, mutation.encode(outcome));
      });
      committed = true;
      return outcome;
    };
    const outcome = await work(commit);
    if (!committed) commit(outcome);
    await lasting(outcome);
    settled.resolve(mutation.encode(outcome));
    return outcome;
  } catch (error) {
    settled.reject(error);
    throw error;
  } finally {
    table.running.delete(call.requestId);
  }
}

interface OutcomeTable {
  running: Map<string, { hash: string; outcome: Promise<Uint8Array> }>;
  find(requestId: string): { hash: string; outcome: Uint8Array } | undefined;
  keep(requestId: string, hash: string, outcome: Uint8Array): void;
}

const tables = new WeakMap<Records, OutcomeTable>();

function tableOf(records: Records): OutcomeTable {
  let table = tables.get(records);
  if (table === undefined) {
    table = openTable(records);
    tables.set(records, table);
  }
  return table;
}

function openTable(records: Records): OutcomeTable {
  records
    .prepare(
      `CREATE TABLE IF NOT EXISTS kit_outcome (
         request_id TEXT PRIMARY KEY, request_hash TEXT NOT NULL, outcome BLOB NOT NULL, at_ms INTEGER NOT NULL
       ) STRICT, WITHOUT ROWID`,
    )
    .run();
  // Found by going through all, once a minute: an index would be a page more of each commit.
  records.prepare('DROP INDEX IF EXISTS kit_outcome_at').run();
  let sweptAt = 0;
  return {
    running: new Map(),
    find(requestId) {
      const row = records
        .prepare('SELECT request_hash, outcome FROM kit_outcome WHERE request_id = ? AND at_ms > ?')
        .get(requestId, Date.now() - keptMs);
      if (row === undefined) return undefined;
      const outcome = row.outcome;
      return {
        hash: String(row.request_hash),
        outcome: outcome instanceof Uint8Array ? outcome : new Uint8Array(),
      };
    },
    keep(requestId, hash, outcome) {
      const now = Date.now();
      if (now - sweptAt > sweepMs) {
        sweptAt = now;
        records.prepare('DELETE FROM kit_outcome WHERE at_ms <= ?').run(now - keptMs);
      }
      records.prepare('INSERT OR REPLACE INTO kit_outcome VALUES (?, ?, ?, ?)').run(requestId, hash, outcome, now);
    },
  };
}

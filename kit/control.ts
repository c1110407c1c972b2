import { readFileSync } from 'node:fs';
import { defineErrors } from './errors.ts';
import type { Records } from './records.ts';

const errors = defineErrors('kit', {
  fenceMissing: {
    code: 'INVALID_ARGUMENT',
    message: () => 'fence.engine_id and fence.epoch are needed',
  },
  otherEngine: {
    code: 'FAILED_PRECONDITION',
    message: (m: { engine: string; asked: string }) =>
      `this data root belongs to engine ${m.engine}, not to ${m.asked}: give each engine a data root of its own`,
  },
  staleEpoch: {
    code: 'FAILED_PRECONDITION',
    message: (m: { epoch: number; asked: number }) =>
      `a newer coordinator (epoch ${m.epoch}) has taken over from this one (epoch ${m.asked})`,
  },
  otherHost: {
    code: 'FAILED_PRECONDITION',
    message: (m: { bootId: string; asked: string }) =>
      `this service runs on another host or boot (boot id ${m.bootId}) than its caller (${m.asked})`,
  },
});

/** longshore.contract.v1.Fence. */
export interface Fence {
  engineId: string;
  epoch: number;
  bootId: string;
}

/** Whom a service obeys, and the policy of its last Init. Durable. */
export interface Control {
  /**
   * Checks an Init's fence and binds the service to it. `policy` is the request's bytes with the fence left out, so that a
   * new epoch alone is no change. Refuses another engine, an epoch below the last and another host.
   */
  accept(fence: Fence | undefined, policy: Uint8Array): Accepted;
  /** The policy to resume with before the coordinator comes; undefined before the first Init and after a Drain. */
  remembered(): Remembered | undefined;
  /** For Identity: empty and 0 before the first accepted Init. */
  fence(): { engineId: string; epoch: number };
  /** Forgets the policy (Drain). The engine and its epoch stay. */
  forget(): void;
}

export interface Accepted {
  /** The same policy as remembered, in the same boot: there is nothing to do anew. */
  unchanged: boolean;
  /** To be called once the Init has worked; a failed one is not resumed. */
  remember(): void;
}

export interface Remembered {
  policy: Uint8Array;
  engineId: string;
  epoch: number;
  /** False: the host has been restarted since, and what the kernel held is gone. */
  sameBoot: boolean;
}

export function openControl(records: Records, options: { bootId?: string } = {}): Control {
  const bootId = options.bootId ?? hostBootId();
  records
    .prepare(
      `CREATE TABLE IF NOT EXISTS kit_control (
         only INTEGER PRIMARY KEY CHECK (only = 1), engine_id TEXT NOT NULL, epoch INTEGER NOT NULL,
         policy BLOB, boot_id TEXT
       ) STRICT`,
    )
    .run();
  const read = () => records.prepare('SELECT engine_id, epoch, policy, boot_id FROM kit_control').get();

  const control: Control = {
    fence() {
      const row = read();
      return {
        engineId: String(row?.engine_id ?? ''),
        epoch: Number(row?.epoch ?? 0),
      };
    },
    accept(fence, policy) {
      if (fence === undefined || fence.engineId === '' || fence.epoch < 1) throw errors.fenceMissing();
      if (fence.bootId !== '' && fence.bootId !== bootId) throw errors.otherHost({ bootId, asked: fence.bootId });
      const { engineId, epoch } = control.fence();
      if (engineId !== '' && engineId !== fence.engineId) {
        throw errors.otherEngine({ engine: engineId, asked: fence.engineId });
      }
      if (fence.epoch < epoch) throw errors.staleEpoch({ epoch, asked: fence.epoch });
      if (fence.epoch > epoch) {
        records
          .prepare(
            `INSERT INTO kit_control (only, engine_id, epoch) VALUES (1, ?, ?)
             ON CONFLICT (only) DO UPDATE SET epoch = excluded.epoch`,
          )
          .run(fence.engineId, fence.epoch);
      }
      const before = control.remembered();
      return {
        unchanged: before?.sameBoot === true && Buffer.compare(before.policy, policy) === 0,
        remember() {
          records.prepare('UPDATE kit_control SET policy = ?, boot_id = ?').run(policy, bootId);
        },
      };
    },
    remembered() {
      const row = read();
      const policy = row?.policy;
      if (row === undefined || !(policy instanceof Uint8Array)) return undefined;
      return {
        policy,
        engineId: String(row.engine_id),
        epoch: Number(row.epoch),
        sameBoot: row.boot_id === bootId,
      };
    },
    forget() {
      records.prepare('UPDATE kit_control SET policy = NULL, boot_id = NULL').run();
    },
  };
  return control;
}

/** Another one after each start of the kernel. */
export function hostBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

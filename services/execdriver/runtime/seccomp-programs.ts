import { createHash } from 'node:crypto';
import type { Records } from '../../../kit/records.ts';
import type { OciSeccomp } from '../spec/oci.ts';
import { asTrees } from './filter-tree.ts';

/**
 * Compiled seccomp programs, each made by the runtime once: for a set of rules, this kernel and this runtime. They are kept as
 * trees, of which the kernel takes on the usual one in a sixth of the time.
 */
export interface SeccompPrograms {
  find(rules: OciSeccomp): Buffer | undefined;
  keep(rules: OciSeccomp, compiled: Buffer): void;
}

/** A classic BPF instruction: struct sock_filter. A program has at most 4096 (BPF_MAXINSNS). */
const instructionSize = 8;
const mostInstructions = 4096;
/** So many are kept; a profile of one's own for each container is nothing to hoard. */
const most = 64;

/** `maker` tells apart what compiles differently: runtime version, kernel, machine. */
export function openSeccompPrograms(records: Records, maker: string): SeccompPrograms {
  const inMemory = new Map<string, Buffer>();
  // Stringifying hundreds of rules for each start would cost more than hashing them: profiles are few and are shared.
  const keys = new WeakMap<OciSeccomp, string>();
  const keyOf = (rules: OciSeccomp) => {
    const known = keys.get(rules);
    if (known !== undefined) return known;
    const key = createHash('sha256')
      .update(`${maker}\ntrees\n${JSON.stringify(rules)}`)
      .digest('hex');
    keys.set(rules, key);
    return key;
  };
  return {
    find(rules) {
      const key = keyOf(rules);
      const known = inMemory.get(key);
      if (known) return known;
      const program = records.prepare('SELECT program FROM seccomp_program WHERE key = ?').get(key)?.program;
      if (!(program instanceof Uint8Array)) return undefined;
      const buffer = Buffer.from(program);
      inMemory.set(key, buffer);
      return buffer;
    },
    keep(rules, compiled) {
      const program = asTrees(compiled) ?? compiled;
      const instructions = program.length / instructionSize;
      if (!Number.isInteger(instructions) || instructions < 1 || instructions > mostInstructions) return;
      const key = keyOf(rules);
      inMemory.set(key, program);
      if (inMemory.size > most) inMemory.clear();
      records.transaction(() => {
        records
          .prepare('INSERT OR REPLACE INTO seccomp_program (key, program, made_ms) VALUES (?, ?, ?)')
          .run(key, program, Date.now());
        records
          .prepare(
            `DELETE FROM seccomp_program WHERE key NOT IN (SELECT key FROM seccomp_program ORDER BY made_ms DESC LIMIT ${most})`,
          )
          .run();
      });
    },
  };
}

import assert from 'node:assert/strict';

/** Of struct sock_filter, linux/filter.h. */
export const [load, and, ret, always, equal, greater, atLeast, anySet] = [
  0x20, 0x54, 0x06, 0x05, 0x15, 0x25, 0x35, 0x45,
];
/** Where in struct seccomp_data, linux/seccomp.h, there is what. */
export const [numberAt, archAt, argumentAt] = [0, 4, 16];

export type Line = [code: number, k: number, jt?: number, jf?: number];

export function encode(lines: readonly Line[]): Buffer {
  return Buffer.concat(
    lines.map(([code, k, jt = 0, jf = 0]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16LE(code);
      bytes.writeUInt8(jt, 2);
      bytes.writeUInt8(jf, 3);
      bytes.writeUInt32LE(k, 4);
      return bytes;
    }),
  );
}

export function decode(program: Buffer): Line[] {
  return Array.from({ length: program.length / 8 }, (_, at) => {
    const bytes = program.subarray(at * 8);
    return [bytes.readUInt16LE(), bytes.readUInt32LE(4), bytes.readUInt8(2), bytes.readUInt8(3)];
  });
}

/** As the kernel runs it. Also counts the steps. */
export function run(program: readonly Line[], data: ReadonlyMap<number, number>): { value: number; steps: number } {
  let [accumulator, at] = [0, 0];
  for (let steps = 1; ; steps++) {
    const [code, k, jt = 0, jf = 0] = program[at++] ?? assert.fail('it leaves the program');
    if (code === ret) return { value: k, steps };
    if (code === load) accumulator = data.get(k) ?? 0;
    else if (code === and) accumulator = (accumulator & k) >>> 0;
    else if (code === always) at += k;
    else {
      const holds = code === equal ? accumulator === k : code === greater ? accumulator > k : accumulator >= k;
      at += holds ? jt : jf;
    }
  }
}

/** Each number that the program knows of, what is beside it, and the ends. */
export function interesting(program: readonly Line[]): number[] {
  const known = program.flatMap(([, k]) => [k - 1, k, k + 1]);
  return [...new Set([0, 1, 2 ** 31, 2 ** 32 - 1, ...known])].filter((value) => value >= 0 && value < 2 ** 32);
}

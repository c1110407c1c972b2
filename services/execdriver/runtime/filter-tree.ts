/**
 * Seccomp programs as compilers write them ask for one system call after the other: a thousand instructions, through which the
 * kernel goes once for every number there is when a process takes the program on (seccomp_cache_prepare, kernel/seccomp.c), and
 * a process does at calls that depend on their arguments. The same decisions as binary trees are a quarter as long, and no path
 * through them is longer than some twenty instructions.
 */

/** struct sock_filter, linux/filter.h: u16 code, u8 jt, u8 jf, u32 k. */
interface Instruction {
  code: number;
  /** How many instructions a jump skips, when its test holds and when it does not. */
  jt: number;
  jf: number;
  k: number;
}

const size = 8;
const [load, and, ret] = [0x20, 0x54, 0x06];
const [always, equal, greater, atLeast] = [0x05, 0x15, 0x25, 0x35];
/** The accumulator has 32 bits. */
const end = 2 ** 32;
/** A jump that tests skips 255 instructions at most; some are still to come between it and its target. */
const farthest = 250;

/**
 * An equivalent program that is shorter; undefined when there is none, or when there are instructions in it that compilers of
 * seccomp rules don't use.
 */
export function asTrees(program: Buffer): Buffer | undefined {
  const old = decode(program);
  if (old === undefined) return undefined;
  const parts = partsOf(old);
  if (parts === undefined) return undefined;
  // From its end to its beginning: jumps only lead forward, and so to what is written already.
  const written: Instruction[] = [];
  const places = new Map<Part['id'], number>();

  const push = (code: number, k: number, jt = 0, jf = 0) => written.push({ code, k, jt, jf }) - 1;
  const placeOf = (id: Part['id']) => places.get(id) as number;
  const skipped = (place: number) => written.length - place - 1;
  const goOnAt = (place: number) => {
    if (skipped(place) > 0) push(always, skipped(place));
  };
  /** The place of the same, near enough for a test. */
  const near = (place: number): number => {
    if (skipped(place) <= farthest) return place;
    const target = written[place];
    return target?.code === ret ? push(ret, target.k) : push(always, skipped(place));
  };
  const tree = (stretches: readonly Stretch[]): number => {
    const [first] = stretches as [Stretch];
    if (stretches.length === 1) return placeOf(first.to);
    const half = stretches.length >> 1;
    const [high, low] = [tree(stretches.slice(half)), tree(stretches.slice(0, half))];
    const [whenHigh, whenLow] = [near(high), near(low)];
    return push(atLeast, (stretches[half] as Stretch).from, skipped(whenHigh), skipped(whenLow));
  };

  for (const { id, code, k, leadsTo } of parts.toReversed()) {
    if (code !== undefined && code !== ret) goOnAt(tree(leadsTo));
    places.set(id, code === undefined ? tree(leadsTo) : push(code, k));
  }
  goOnAt(placeOf(idOf(old, 0)));
  return written.length < old.length ? encode(written.reverse()) : undefined;
}

/** An instruction of the old program that the new one has too, or a place where tests begin: `code` is undefined then. */
interface Part {
  /** The instruction's number; of all returns of one value the text that names them. */
  id: number | string;
  code: number | undefined;
  k: number;
  /** What follows, by the accumulator's value. Empty for a return. */
  leadsTo: readonly Stretch[];
}

/** Where the accumulator's values from `from` up to the next stretch's lead. */
interface Stretch {
  from: number;
  to: Part['id'];
}

function idOf(program: readonly Instruction[], at: number): Part['id'] {
  const { code, k } = program[at] as Instruction;
  return code === ret ? `return ${k}` : at;
}

/** What can be reached, each before what it leads to. Undefined when it is not less than the program. */
function partsOf(program: readonly Instruction[]): Part[] | undefined {
  const wanted = new Set<number>([0]);
  const returns = new Map<Part['id'], Part>();
  const parts: Part[] = [];
  let count = 0;
  for (const [at, { code, k }] of program.entries()) {
    if (!wanted.has(at)) continue;
    const id = idOf(program, at);
    if (code === ret) {
      returns.set(id, { id, code, k, leadsTo: [] });
      continue;
    }
    const isTest = code !== load && code !== and;
    const stretches: { from: number; at: number }[] = isTest ? stretchesFrom(program, at) : [{ from: 0, at: at + 1 }];
    for (const stretch of stretches) wanted.add(stretch.at);
    const leadsTo = stretches.map((stretch) => ({ from: stretch.from, to: idOf(program, stretch.at) }));
    parts.push({ id, code: isTest ? undefined : code, k, leadsTo });
    count += isTest ? stretches.length - 1 : 1;
    if (count >= program.length) return undefined;
  }
  return [...parts, ...returns.values()];
}

type Range = [from: number, until: number];

/** What the tests from here on make of the accumulator, which they leave as it is. */
function stretchesFrom(program: readonly Instruction[], start: number): { from: number; at: number }[] {
  const found: { from: number; at: number }[] = [];
  const toFollow: { at: number; left: Range[] }[] = [{ at: start, left: [[0, end]] }];
  for (let way = toFollow.pop(); way !== undefined; way = toFollow.pop()) {
    let { at } = way;
    const { left } = way;
    while (left.length > 0) {
      const { code, jt, jf, k } = program[at] as Instruction;
      const next = at + 1;
      if (code === always) {
        at = next + k;
        continue;
      }
      if (code !== equal && code !== greater && code !== atLeast) break;
      const [low, high] = code === equal ? [k, k + 1] : [code === greater ? k + 1 : k, end];
      toFollow.push({ at: next + jt, left: cut(left, low, high) });
      at = next + jf;
    }
    for (const [from] of left) found.push({ from, at });
  }
  found.sort((a, b) => a.from - b.from);
  return found.filter(({ at }, index) => {
    const before = found[index - 1];
    return before === undefined || idOf(program, before.at) !== idOf(program, at);
  });
}

/** Takes what lies between two numbers out of sorted ranges. */
function cut(ranges: Range[], low: number, high: number): Range[] {
  let [first, beyond] = [0, ranges.length];
  while (first < beyond) {
    const middle = (first + beyond) >> 1;
    if ((ranges[middle] as Range)[1] <= low) first = middle + 1;
    else beyond = middle;
  }
  let last = first;
  const taken: Range[] = [];
  const kept: Range[] = [];
  for (let range = ranges[last]; range !== undefined && range[0] < high; range = ranges[++last]) {
    const [from, until] = range;
    taken.push([Math.max(from, low), Math.min(until, high)]);
    if (from < low) kept.push([from, low]);
    if (until > high) kept.push([high, until]);
  }
  ranges.splice(first, last - first, ...kept);
  return taken;
}

/** Undefined as well when it could be left without a return, which the kernel would refuse. */
function decode(program: Buffer): Instruction[] | undefined {
  const all: Instruction[] = [];
  const count = program.length / size;
  for (let at = 0; at < count; at++) {
    const offset = at * size;
    if (offset + size > program.length) return undefined;
    const code = program.readUInt16LE(offset);
    const [jt, jf] = [program.readUInt8(offset + 2), program.readUInt8(offset + 3)];
    const k = program.readUInt32LE(offset + 4);
    const ahead = code === ret ? -1 : code === always ? k : Math.max(jt, jf);
    if (![load, and, ret, always, equal, greater, atLeast].includes(code) || at + 1 + ahead >= count) return undefined;
    all.push({ code, jt, jf, k });
  }
  return all.length > 0 ? all : undefined;
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * size);
  for (const [at, { code, jt, jf, k }] of program.entries()) {
    bytes.writeUInt16LE(code, at * size);
    bytes.writeUInt8(jt, at * size + 2);
    bytes.writeUInt8(jf, at * size + 3);
    bytes.writeUInt32LE(k, at * size + 4);
  }
  return bytes;
}

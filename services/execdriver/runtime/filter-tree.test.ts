import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  always,
  and,
  anySet,
  archAt,
  argumentAt,
  atLeast,
  decode,
  encode,
  equal,
  greater,
  interesting,
  type Line,
  load,
  numberAt,
  ret,
  run,
} from './filter-tree.fixture.ts';
import { asTrees } from './filter-tree.ts';

const [allow, refuse, kill] = [0x7fff0000, 0x00050001, 0];

/** A linear congruential generator: the same programs each time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** As libseccomp writes them: a chain for an architecture, with arguments looked at here and there. */
function chain(numbers: readonly number[], checked: readonly number[]): Line[] {
  const lines: Line[] = [
    [load, archAt],
    [equal, 0xc000003e, 1, 0],
    [ret, kill],
    [load, numberAt],
  ];
  for (const number of numbers) lines.push([equal, number, 0, 1], [ret, allow]);
  for (const number of checked) {
    lines.push([equal, number, 0, 4], [load, argumentAt], [and, 0x7e020000], [equal, 0, 0, 1], [ret, allow]);
  }
  lines.push([ret, refuse]);
  return lines;
}

describe('a filter as trees', () => {
  test('decides for every number and argument as before, in few steps', () => {
    const numbers = Array.from({ length: 330 }, (_, index) => index + Math.floor(index / 9));
    const lines = chain(numbers, [401, 405]);
    const tree = decode(asTrees(encode(lines)) ?? assert.fail('there is one'));
    let most = 0;
    for (const arch of [0xc000003e, 0x40000003]) {
      for (const number of interesting(lines)) {
        for (const argument of [0, 1, 0x20000, 0x7e020000, 2 ** 32 - 1]) {
          const data = new Map([
            [archAt, arch],
            [numberAt, number],
            [argumentAt, argument],
          ]);
          const { value, steps } = run(tree, data);
          assert.equal(value, run(lines, data).value, `number ${number}, argument ${argument}`);
          most = Math.max(most, steps);
        }
      }
    }
    assert(tree.length < lines.length / 3, `${tree.length} instructions of ${lines.length}`);
    assert(most <= 20, `${most} steps`);
  });

  test('jumps farther than a test can reach', () => {
    const distinct = Array.from({ length: 600 }, (_, index) => index * 3);
    const lines: Line[] = [[load, numberAt]];
    // More than once, so that there is something to be gained.
    for (const number of [...distinct, ...distinct, ...distinct])
      lines.push([equal, number, 0, 1], [ret, 0x50000 + number]);
    lines.push([ret, refuse]);
    const tree = decode(asTrees(encode(lines)) ?? assert.fail('there is one'));
    for (const number of interesting(lines)) {
      const data = new Map([[numberAt, number]]);
      assert.equal(run(tree, data).value, run(lines, data).value, `${number}`);
    }
  });

  test('programs of any form are the same as trees, or are left alone', () => {
    let made = 0;
    for (let seed = 1; seed <= 3000; seed++) {
      const roll = dice(seed);
      const count = 4 + roll(60);
      const values = Array.from({ length: 2 + roll(12) }, () => (roll(3) === 0 ? roll(2 ** 32) : roll(40)));
      const lines = Array.from({ length: count }, (_, at): Line => {
        const left = count - at - 1;
        const k = values[roll(values.length)] ?? 0;
        if (left === 0 || roll(9) === 0) return [ret, 0x50000 + roll(3)];
        const skip = () => roll(Math.min(left, 12));
        const kind = roll(10);
        if (kind === 0) return [load, 4 * roll(6)];
        if (kind === 1) return [and, k];
        if (kind === 2) return [always, skip()];
        return [[equal, equal, greater, atLeast][roll(4)] ?? equal, k, skip(), skip()];
      });
      const encoded = encode(lines);
      const found = asTrees(encoded);
      if (found === undefined) continue;
      made += 1;
      assert(found.length < encoded.length);
      const tree = decode(found);
      const numbers = interesting(lines);
      for (let round = 0; round < 60; round++) {
        const data = new Map([0, 4, 8, 12, 16, 20].map((at) => [at, numbers[roll(numbers.length)] ?? 0]));
        assert.equal(run(tree, data).value, run(lines, data).value, `seed ${seed}, ${JSON.stringify([...data])}`);
      }
    }
    assert(made > 500, `${made} had shorter ones`);
  });

  test('what is no program, ends without a return, or has other instructions is left alone', () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(12),
      encode([[load, 0]]),
      encode([
        [always, 5],
        [ret, allow],
      ]),
      encode([
        [equal, 1, 0, 9],
        [ret, allow],
      ]),
      encode([
        [load, 0],
        [anySet, 1, 0, 0],
        [ret, allow],
        [ret, allow],
        [ret, allow],
      ]),
    ]) {
      assert.equal(asTrees(bytes), undefined);
    }
  });

  test('a program that goes through the same tests from everywhere is left alone', () => {
    const lines: Line[] = [[load, numberAt]];
    for (let at = 0; at < 4000; at++) lines.push([equal, at * 2, 1, 0], [at % 2 === 0 ? load : and, 16]);
    lines.push([ret, allow]);
    assert.equal(asTrees(encode(lines)), undefined);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFull, parseOptions, WrongOption } from './options.ts';

const parse = (...words: string[]) => parseOptions(words, ['boot', 'cli']);

test('without options everything is run against everyone, and kept', () => {
  const options = parse();
  assert.deepEqual(options.engines, ['longshore', 'dockerd', 'podman']);
  assert.equal(isFull(options), true);
});

test('several paths can be named with one flag or with many', () => {
  assert.deepEqual(parse('--only', 'boot,cli').only, parse('--only', 'boot', '--only', 'cli').only);
});

test('a path that does not exist is refused with those that do', () => {
  assert.throws(() => parse('--only', 'bot'), new WrongOption('--only bot: there is only boot, cli'));
});

test('figures of a quick look never get into the README', () => {
  assert.throws(() => parse('--quick', '--write-readme'), WrongOption);
  assert.throws(() => parse('--engines', 'longshore', '--write-readme'), WrongOption);
});

test('an unknown flag is refused', () => {
  assert.throws(() => parse('--fast'), WrongOption);
});

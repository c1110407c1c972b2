import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from './log.ts';

function lines(format: 'text' | 'json') {
  const written: string[] = [];
  return { written, log: createLogger({ role: 'graphdriver', format, write: (line) => written.push(line) }) };
}

test('a text line tells time, level, role, message and fields', () => {
  const { written, log } = lines('text');
  log.child({ layer: '1f2e' }).warn({ path: '/a b', size: 7 }, 'mounted');
  assert.match(
    written.join(''),
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}graphdriver {2}mounted layer=1f2e path="\/a b" size=7\n$/,
  );
});

test('a json line is one object', () => {
  const { written, log } = lines('json');
  log.info({ layer: 'x' }, 'mounted');
  const { time, ...rest } = JSON.parse(written.join(''));
  assert.deepEqual(rest, { level: 'info', role: 'graphdriver', layer: 'x', msg: 'mounted' });
  assert(!Number.isNaN(Date.parse(time)));
});

test('an error shows its message on the line and its stack below', () => {
  const { written, log } = lines('text');
  log.error({ err: new Error('no space') }, 'internal error');
  const [line, ...stack] = written.join('').trimEnd().split('\n');
  assert.match(line ?? '', /ERROR graphdriver {2}internal error error="no space"$/);
  assert(stack.length > 0 && stack.every((frame) => frame.startsWith('    at ')));
});

test('a message cannot forge a line or colour the terminal', () => {
  const { written, log } = lines('text');
  log.info({ name: 'a\nb' }, 'x\n12:00:00.000 FATAL \x1b[31mforged');
  assert.equal(written.join('').trimEnd().split('\n').length, 1);
  assert(!written.join('').includes('\x1b'));
});

test('secrets are not written', () => {
  const { written, log } = lines('json');
  log.info({ auth: 'hunter2', registry: { password: 'hunter2', host: 'r' } }, 'login');
  assert(!written.join('').includes('hunter2'));
  assert(written.join('').includes('"host":"r"'));
});

test('what is below the level is not written', () => {
  const { written, log } = lines('text');
  log.debug('no');
  assert.deepEqual(written, []);
});

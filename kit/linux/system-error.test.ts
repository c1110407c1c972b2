import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMounts } from './mounts.ts';
import { hasCode, SystemError } from './system-error.ts';

test('an error names call, path, words and code', () => {
  const error = new SystemError('mount', 16, '/x');
  assert.equal(error.message, 'mount /x: resource busy or locked (EBUSY)');
  assert.deepEqual([error.syscall, error.errno, error.code, error.path], ['mount', 16, 'EBUSY', '/x']);
});

test('what the kernel added in words comes first', () => {
  assert.match(
    new SystemError('mount', 22, '/x', 'Unknown parameter').message,
    /^mount \/x: Unknown parameter: .*EINVAL/,
  );
});

test('errors that Node has no words for have their name too', () => {
  assert.equal(new SystemError('write', 122, '/x').message, 'write /x: disk quota exceeded (EDQUOT)');
  assert.equal(new SystemError('call', 4000).code, 'E4000');
});

test('a path with NUL never reaches the kernel cut short', () => {
  assert.throws(() => createMounts().unmount('/tmp\0/x'), { code: 'EINVAL' });
});

test('codes are recognised on our errors and on Node’s', () => {
  assert.equal(hasCode(new SystemError('open', 2), 'ENOENT', 'ENOTDIR'), true);
  assert.equal(hasCode(Object.assign(new Error(), { code: 'EEXIST' }), 'ENOENT'), false);
  assert.equal(hasCode('ENOENT', 'ENOENT'), false);
});

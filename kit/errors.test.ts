import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, isServiceError, ServiceError } from './errors.ts';

const errors = defineErrors('graphdriver', {
  layerNotFound: {
    code: 'NOT_FOUND',
    message: (m: { layer: string; size?: number | undefined }) => `no such layer: ${m.layer}`,
  },
  notInitialised: { code: 'FAILED_PRECONDITION', message: () => 'the driver is not initialised' },
});

test('a row of the table becomes an error with reason, code, message and metadata', () => {
  const cause = new Error('ENOENT');
  const error = errors.layerNotFound({ layer: 'x', size: 7 }, { cause });
  assert(error instanceof ServiceError && error instanceof Error);
  assert.equal(error.reason, 'LAYER_NOT_FOUND');
  assert.equal(error.code, 'NOT_FOUND');
  assert.equal(error.message, 'no such layer: x');
  assert.deepEqual(error.metadata, { layer: 'x', size: '7' });
  assert.equal(error.cause, cause);
});

test('metadata that is undefined is left out, and a message may need none', () => {
  assert.deepEqual(errors.layerNotFound({ layer: 'x', size: undefined }).metadata, { layer: 'x' });
  assert.equal(errors.notInitialised().reason, 'NOT_INITIALISED');
});

test('an error is recognised by its reason', () => {
  const error: unknown = errors.layerNotFound({ layer: 'x' });
  assert(isServiceError(error));
  assert(isServiceError(error, 'LAYER_NOT_FOUND'));
  assert(!isServiceError(error, 'OTHER'));
  assert(!isServiceError(new Error('x')));
});

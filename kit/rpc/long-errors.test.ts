import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError } from '../errors.ts';
import { failure, pair } from './pair.ts';
import { encodeDetails, messageToSend } from './status.ts';

const errorWith = (name: string) =>
  new ServiceError({
    service: 'volume',
    reason: 'VOLUME_NOT_FOUND',
    code: 'NOT_FOUND',
    message: `get ${name}: no such volume`,
    metadata: { kind: 'local', name, more: name },
  });

test('an error that names something of a megabyte still says what is wrong', async () => {
  await using it = await pair({
    async getVolume({ name }) {
      throw errorWith(name ?? '');
    },
  });
  for (const letter of ['x', 'é', '🐳', '\n']) {
    const error = await failure(it.client.getVolume({ name: letter.repeat(1024 * 1024) }));
    assert.deepEqual([error.code, error.reason, error.service], ['NOT_FOUND', 'VOLUME_NOT_FOUND', 'volume']);
    assert.ok(error.message.startsWith(`get ${letter}`), error.message);
    assert.ok(error.message.endsWith(`${letter}: no such volume`), error.message);
    assert.equal(error.metadata.kind, 'local');
    assert.ok(error.metadata.name?.startsWith(letter));
  }
});

test('what is not too long arrives as it is', async () => {
  await using it = await pair({
    async getVolume({ name }) {
      throw errorWith(name ?? '');
    },
  });
  const name = 'n'.repeat(300);
  const error = await failure(it.client.getVolume({ name }));
  assert.equal(error.message, `get ${name}: no such volume`);
  assert.deepEqual(error.metadata, { kind: 'local', name, more: name });
});

test('trailers of the longest errors are below the 8 KiB that other clients take', () => {
  for (const letter of ['x', 'é', '🐳']) {
    const error = errorWith(letter.repeat(100_000));
    const details = Buffer.from(encodeDetails(error)).toString('base64').length;
    const message = encodeURIComponent(messageToSend(error)).length;
    assert.ok(details + message < 7 * 1024, `${details} + ${message}`);
  }
});

import assert from 'node:assert/strict';
import type { CallOptions } from 'nice-grpc';
import { newRequestId } from './session.ts';
import { named, refused } from './wire.ts';

/**
 * A mutation's promise about request ids: the same request with the same id gets the first one's answer, whatever happened
 * since; the same id with another request is ALREADY_EXISTS, REQUEST_ID_REUSED.
 */
export async function assertRepeatable<Request, Answer>(
  call: (request: Request, options: CallOptions) => Promise<Answer>,
  request: Request,
  other: Request,
): Promise<Answer> {
  const options = named(newRequestId());
  const first = await call(request, options);
  assert.deepEqual(await call(request, options), first);
  await refused(call(other, options), 'ALREADY_EXISTS', 'REQUEST_ID_REUSED');
  return first;
}

import { type Commit, idempotent } from '../../kit/outcomes.ts';
import type { Records } from '../../kit/records.ts';
import { currentCall } from '../../kit/rpc/call.ts';

/** A message as generated. */
interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** A verb that a caller may repeat by its request id: done once, and the repeat gets the same answer. */
export function repeatable<Q, A>(
  records: Records,
  request: Codec<Q>,
  answer: Codec<A>,
  work: (request: Q, commit: Commit<A>) => Promise<A>,
): (request: Q) => Promise<A> {
  return (given) =>
    idempotent(
      {
        records,
        call: currentCall(),
        request: request.encode(given).finish(),
        encode: (outcome: A) => answer.encode(outcome).finish(),
        decode: (bytes) => answer.decode(bytes),
      },
      (commit) => work(given, commit),
    );
}

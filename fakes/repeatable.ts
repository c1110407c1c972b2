import { idempotent } from '../kit/outcomes.ts';
import type { Records } from '../kit/records.ts';
import { currentCall } from '../kit/rpc/call.ts';

interface Codec<Message, Partial> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
  fromPartial(partial: Partial): Message;
}

/** A mutation whose repeats, by request id, get the first one's answer. */
export function repeatable<Request, PartialRequest, Response, PartialResponse>(
  records: Records,
  requests: Codec<Request, PartialRequest>,
  responses: Codec<Response, PartialResponse>,
  work: (request: Request) => Promise<PartialResponse> | PartialResponse,
): (request: Request) => Promise<Response> {
  return (request) =>
    idempotent(
      {
        records,
        call: currentCall(),
        request: requests.encode(request).finish(),
        encode: (response) => responses.encode(response).finish(),
        decode: (bytes) => responses.decode(bytes),
      },
      async () => responses.fromPartial(await work(request)),
    );
}

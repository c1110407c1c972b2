import assert from 'node:assert/strict';
import {
  type CallOptions,
  type Client,
  ClientError,
  type ClientMiddlewareCall,
  type CompatServiceDefinition,
  createChannel,
  createClientFactory,
  Metadata,
} from 'nice-grpc';
import { type DeadlineOptions, deadlineMiddleware } from 'nice-grpc-client-middleware-deadline';
import { type CodeName, codeNames } from '../../kit/errors.ts';
import { ErrorInfo } from '../../proto/gen/google/rpc/error_details.ts';
import { Status } from '../../proto/gen/google/rpc/status.ts';

/** What an implementation refused, as it stands on the wire. */
export class Refusal extends Error {
  readonly code: CodeName;
  /** Of the google.rpc.ErrorInfo; empty without one. */
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(error: ClientError, details: Uint8Array | undefined) {
    const info = details === undefined ? undefined : errorInfoIn(details);
    const code = codeNames[error.code] ?? 'UNKNOWN';
    super(error.details, { cause: error });
    this.code = code;
    this.reason = info?.reason ?? '';
    this.domain = info?.domain ?? '';
    this.metadata = info?.metadata ?? {};
  }
}

function errorInfoIn(details: Uint8Array): ErrorInfo | undefined {
  const any = Status.decode(details).details.find(({ typeUrl }) => typeUrl.endsWith('/google.rpc.ErrorInfo'));
  return any === undefined ? undefined : ErrorInfo.decode(any.value);
}

export type WireClient<D extends CompatServiceDefinition> = Client<D, DeadlineOptions>;

export interface Connection {
  client<D extends CompatServiceDefinition>(definition: D): WireClient<D>;
  close(): void;
}

/** A call that takes longer has failed, whatever it waits for. */
const mostMs = 60_000;

/** A plain gRPC client, so that nothing of ours stands between the suite and the wire. */
export function connect(endpoint: string): Connection {
  const channel = createChannel(endpoint, undefined, {
    'grpc.initial_reconnect_backoff_ms': 20,
    'grpc.max_reconnect_backoff_ms': 200,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
  });
  const factory = createClientFactory().use(deadlineMiddleware).use<object>(withRefusals);
  return {
    client: (definition) => factory.create(definition, channel),
    close: () => channel.close(),
  };
}

async function* withRefusals<Request, Response>(
  call: ClientMiddlewareCall<Request, Response, DeadlineOptions>,
  options: CallOptions & Partial<DeadlineOptions>,
): AsyncGenerator<Response, Response | undefined, undefined> {
  let details: Uint8Array | undefined;
  try {
    return yield* call.next(call.request, {
      deadline: mostMs,
      ...options,
      onTrailer(trailer) {
        details = trailer.get('grpc-status-details-bin');
      },
    }) as AsyncGenerator<Response, Response | undefined, undefined>;
  } catch (error) {
    throw error instanceof ClientError ? new Refusal(error, details) : error;
  }
}

/** The call is named, so that it can be repeated. */
export function named(requestId: string): CallOptions {
  return { metadata: Metadata({ 'request-id': requestId }) };
}

/** The call, or the reading of the stream, is refused so; for a stated reason the details are checked too. */
export async function refused(work: Promise<unknown> | AsyncIterable<unknown>, code: CodeName, reason?: string) {
  const outcome = Symbol.asyncIterator in work ? Array.fromAsync(work) : work;
  let refusal: unknown;
  try {
    const answer = await outcome;
    refusal = new assert.AssertionError({ message: `expected ${reason ?? code}, but got an answer`, actual: answer });
  } catch (error) {
    refusal = error;
  }
  if (!(refusal instanceof Refusal)) throw refusal;
  const said = `${refusal.code} ${refusal.reason}: ${refusal.message}`;
  assert.equal(refusal.code, code, said);
  assert.notEqual(refusal.message, '', 'a refusal has a message');
  if (reason !== undefined) {
    assert.equal(refusal.reason, reason, said);
    assert.equal(refusal.domain, 'longshore', 'the domain of its ErrorInfo');
  }
  return refusal;
}

import {
  type CallContext,
  type CallOptions,
  ClientError,
  type ClientMiddlewareCall,
  Metadata,
  ServerError,
  type ServerMiddleware,
  type ServiceImplementation,
  Status,
  type TsProtoServiceDefinition,
} from 'nice-grpc';
import { deadlineKey } from './intercept.ts';
import { createMessageQueue, type MessageQueue } from './message-queue.ts';

type Steps = AsyncGenerator<unknown, unknown, undefined>;

/** What takes contracts with their implementations. */
export interface Adding {
  add<D extends TsProtoServiceDefinition>(definition: D, implementation: ServiceImplementation<D>): void;
}

/** The end of a service that callers in the same process reach without a socket. */
export interface LocalServer extends Adding {
  /** As a client's innermost middleware: what `call` asks for, with the service's own middleware around it. */
  call<Request, Response>(call: ClientMiddlewareCall<Request, Response>, options: CallOptions): Steps;
  /** Resolves when no call is in progress. */
  idle(): Promise<void>;
  /** Ends those in progress for their callers, as the loss of a connection does. */
  cut(): void;
}

/** What nice-grpc's server does between the wire and a handler, and its client between the wire and a caller. */
export function createLocalServer(middleware: ServerMiddleware, maxMessage: number): LocalServer {
  const methods = new Map<string, Method>();
  const active = new Set<{ answers: MessageQueue; path: string; handled: Promise<void> }>();

  const sized = (path: string, message: Uint8Array) => {
    if (message.length <= maxMessage) return message;
    const details = `Received message larger than max (${message.length} vs ${maxMessage})`;
    throw new ClientError(path, Status.RESOURCE_EXHAUSTED, details);
  };

  async function* perform(call: AnyCall, options: CallOptions): Steps {
    const { path } = call.method;
    const method = methods.get(path);
    if (method === undefined) throw new ClientError(path, Status.UNIMPLEMENTED, `there is no method ${path}`);
    const { signal } = options;
    signal?.throwIfAborted();
    const gone = new AbortController();
    const answers = createMessageQueue();
    const questions = call.requestStream ? createMessageQueue() : undefined;
    const context = contextOf(options, gone.signal);

    let request: unknown;
    if (call.requestStream && questions !== undefined) {
      request = decoded(questions, method.decodeRequest);
      pass(call.request, questions, (each) => sized(path, method.encodeRequest(each))).catch((error) =>
        answers.cut(error),
      );
    } else {
      request = method.decodeRequest(sized(path, method.encodeRequest(call.request)));
    }
    let isHandled = false;
    const toHandle = method.begin(middleware, request, context);
    const handled = handle(toHandle, answers, gone.signal, (answer) => sized(path, method.encodeResponse(answer)))
      .then(
        (last) => ({ last, error: undefined }),
        (error: unknown) => ({ last: undefined, error: toldError(path, error) }),
      )
      .then(({ last, error }) => {
        isHandled = true;
        options.onTrailer?.(context.trailer);
        if (last !== undefined) void answers.put(last);
        answers.end(error);
      });
    const entry = { answers, path, handled };
    active.add(entry);
    void handled.finally(() => active.delete(entry));

    const leave = () => {
      if (!isHandled) gone.abort();
      questions?.cut(aborted());
    };
    const onAbort = () => {
      leave();
      answers.cut(aborted());
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      for (let answer = await answers.take(); answer !== undefined; answer = await answers.take()) {
        const response = method.decodeResponse(answer);
        if (!call.responseStream) return response;
        yield response;
      }
      return undefined;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      leave();
      answers.cut();
    }
  }

  return {
    add(definition, implementation) {
      for (const [path, method] of methodsOf(definition, implementation)) methods.set(path, method);
    },
    call: perform,
    async idle() {
      while (active.size > 0) await Promise.all([...active].map(({ handled }) => handled));
    },
    cut() {
      for (const { answers, path } of active) {
        answers.cut(new ClientError(path, Status.UNAVAILABLE, 'the connection was dropped'));
      }
    },
  };
}

type AnyCall = ClientMiddlewareCall<unknown, unknown>;

interface Method {
  encodeRequest(request: unknown): Uint8Array;
  decodeRequest(bytes: Uint8Array): unknown;
  encodeResponse(response: unknown): Uint8Array;
  decodeResponse(bytes: Uint8Array): unknown;
  begin(middleware: ServerMiddleware, request: unknown, context: CallContext): Steps;
}

type Handler = (request: unknown, context: CallContext) => AsyncIterable<unknown> | Promise<unknown> | unknown;

function* methodsOf<D extends TsProtoServiceDefinition>(
  { fullName, methods }: D,
  implementation: ServiceImplementation<D>,
): Generator<[path: string, method: Method]> {
  for (const [key, { name, requestType, responseType, requestStream, responseStream, options }] of Object.entries(
    methods,
  )) {
    const path = `/${fullName}/${name}`;
    const handler: Handler = Reflect.get(Object(implementation), key).bind(implementation);
    const next = responseStream ? streaming(handler) : single(handler);
    const descriptor = { path, requestStream, responseStream, options };
    yield [
      path,
      {
        encodeRequest: (request) => requestType.encode(requestType.fromPartial?.(request) ?? request).finish(),
        decodeRequest: (bytes) => requestType.decode(bytes),
        encodeResponse: (response) => responseType.encode(responseType.fromPartial?.(response) ?? response).finish(),
        decodeResponse: (bytes) => responseType.decode(bytes),
        begin: (middleware, request, context) =>
          middleware(
            { method: descriptor, requestStream, responseStream, request, next } as AnyServerCall,
            context,
          ) as Steps,
      },
    ];
  }
}

type AnyServerCall = Parameters<ServerMiddleware>[0];

function streaming(handler: Handler) {
  return async function* stream(request: unknown, context: CallContext): AsyncGenerator<unknown, void, undefined> {
    yield* handler(request, context) as AsyncIterable<unknown>;
  };
}

function single(handler: Handler) {
  // biome-ignore lint/correctness/useYield: middleware takes a generator; the answer is what it returns
  return async function* answer(request: unknown, context: CallContext): Steps {
    return await handler(request, context);
  };
}

function contextOf({ metadata: given, onHeader }: CallOptions, signal: AbortSignal): CallContext {
  const metadata = Metadata(given);
  metadata.delete(deadlineKey);
  // As kit/rpc/caller.ts writes it.
  const [, amount, unit] = /^(\d+)([mS])$/.exec(metadata.get('grpc-timeout') ?? '') ?? [];
  metadata.delete('grpc-timeout');
  if (amount !== undefined) metadata.set(deadlineKey, String(Date.now() + Number(amount) * (unit === 'S' ? 1000 : 1)));
  const header = Metadata();
  return { metadata, peer: 'in-process', header, trailer: Metadata(), signal, sendHeader: () => onHeader?.(header) };
}

/** Runs a handler to its end, as fast as its answers are taken; resolves with the answer of one that has only one. */
async function handle(steps: Steps, answers: MessageQueue, gone: AbortSignal, encode: (answer: unknown) => Uint8Array) {
  let step = await steps.next();
  while (!step.done) {
    await answers.put(encode(step.value));
    step = gone.aborted ? await steps.return(undefined) : await steps.next();
  }
  return step.value === undefined ? undefined : encode(step.value);
}

/** Sends a caller's stream, as fast as it is taken; ends it when nothing is taken any more. */
async function pass(from: AsyncIterable<unknown>, to: MessageQueue, encode: (message: unknown) => Uint8Array) {
  for await (const each of from) if (!(await to.put(encode(each)))) return;
  to.end();
}

async function* decoded(queue: MessageQueue, decode: (bytes: Uint8Array) => unknown): AsyncGenerator<unknown, void> {
  for (let bytes = await queue.take(); bytes !== undefined; bytes = await queue.take()) yield decode(bytes);
}

/** What a handler's failure is to a caller. */
function toldError(path: string, error: unknown): Error {
  if (error instanceof ClientError) return error;
  if (error instanceof ServerError) return new ClientError(path, error.code, error.details);
  if (error instanceof Error && error.name === 'AbortError') {
    return new ClientError(path, Status.CANCELLED, 'The operation was cancelled');
  }
  return new ClientError(path, Status.UNKNOWN, 'Unknown server error occurred');
}

function aborted(): Error {
  return new DOMException('The operation has been aborted', 'AbortError');
}

import { type CallContext, ServerError, type ServerMiddleware, type ServerMiddlewareCall } from 'nice-grpc';
import { diskFull, isDiskFull } from '../disk-space.ts';
import { messageOf, ServiceError } from '../errors.ts';
import { worked } from '../idle.ts';
import type { Logger } from '../log.ts';
import { type Call, childTraceparent, completed, withExactCall } from './call.ts';
import { deadlineKey } from './intercept.ts';
import { codeName, codeNumber, detailsKey, encodeDetails, messageToSend } from './status.ts';
import type { Stopping } from './stopping.ts';

type Step<Response> = AsyncGenerator<Response, Response | undefined, undefined>;

/** Gives the handler its call context, and an end when the service stops. Outermost. */
export function contextMiddleware(stopping: Stopping): ServerMiddleware {
  return async function* withContext<Request, Response>(
    call: ServerMiddlewareCall<Request, Response>,
    context: CallContext,
  ): Step<Response> {
    const active = stopping.enter(context.signal, call.method.responseStream);
    const incoming = incomingCall(call.method.path, context, active.signal);
    const inner = call.next(call.request, { ...context, signal: active.signal }) as Step<Response>;
    try {
      return yield* inCall(incoming, inner);
    } finally {
      incoming.ended = true;
      active.leave();
      worked();
    }
  };
}

function incomingCall(method: string, { metadata }: CallContext, signal: AbortSignal): Call {
  const requestId = metadata.get('request-id');
  const deadline = metadata.get(deadlineKey);
  return completed({
    method,
    signal,
    traceparent: childTraceparent(metadata.get('traceparent')),
    ...(requestId !== undefined && requestId !== '' && { requestId }),
    ...(deadline !== undefined && { deadline: Number(deadline) }),
    caller: metadata.get('longshore-caller') ?? 'client',
  });
}

/** A generator runs in the context of whoever asks for its next value, so each step has to enter the call anew. */
function inCall<Response>(call: Call, inner: Step<Response>): Step<Response> {
  const bound: Step<Response> = {
    next: () => withExactCall(call, () => inner.next()),
    return: (value) => withExactCall(call, () => inner.return(value)),
    throw: (error) => withExactCall(call, () => inner.throw(error)),
    [Symbol.asyncIterator]: () => bound,
    [Symbol.asyncDispose]: () => withExactCall(call, () => inner[Symbol.asyncDispose]()),
  };
  return bound;
}

/** One debug line a call, and one more at the start of a stream. */
export function loggingMiddleware(log: Logger): ServerMiddleware {
  return async function* withLogging<Request, Response>(
    call: ServerMiddlewareCall<Request, Response>,
    context: CallContext,
  ): Step<Response> {
    const inner = call.next(call.request, context) as Step<Response>;
    if (!log.isLevelEnabled('debug')) return yield* inner;

    const { metadata } = context;
    const fields = {
      method: call.method.path.slice(1),
      caller: metadata.get('longshore-caller') ?? 'client',
      request: metadata.get('request-id'),
      trace: metadata.get('traceparent'),
    };
    const began = performance.now();
    let code = 'CANCELLED';
    if (call.method.requestStream || call.method.responseStream) log.debug(fields, 'stream opened');
    try {
      const result = yield* inner;
      code = 'OK';
      return result;
    } catch (error) {
      code = error instanceof ServerError ? codeName(error.code) : 'CANCELLED';
      throw error;
    } finally {
      log.debug({ ...fields, code, ms: Math.round((performance.now() - began) * 100) / 100 }, 'call');
    }
  };
}

/** Turns what handlers throw into gRPC statuses. Innermost. */
export function errorMiddleware(role: string, log: Logger, stopping: Stopping): ServerMiddleware {
  return async function* withErrors<Request, Response>(
    call: ServerMiddlewareCall<Request, Response>,
    context: CallContext,
  ): Step<Response> {
    try {
      const result = yield* call.next(call.request, context) as Step<Response>;
      // A stream that ends early because the service stops must not look complete.
      if (call.method.responseStream && stopping.has(context.signal)) throw stoppingError(role);
      return result;
    } catch (error) {
      const known = knownError(role, error, stopping.has(context.signal));
      if (known === undefined) throw error;
      if (known.reason === 'INTERNAL') {
        log.error({ err: error, method: call.method.path.slice(1) }, 'internal error');
      }
      context.trailer.set(detailsKey, encodeDetails(known));
      throw new ServerError(codeNumber(known.code), messageToSend(known));
    }
  };
}

function knownError(role: string, error: unknown, stopped: boolean): ServiceError | undefined {
  if (error instanceof ServiceError) return error;
  if (error instanceof ServerError) {
    const code = codeName(error.code);
    return new ServiceError({ service: role, reason: code, code, message: error.details });
  }
  if (error instanceof Error && error.name === 'AbortError') return stopped ? stoppingError(role) : undefined;
  if (isDiskFull(error)) return diskFull(role, error);
  const message = `internal error in ${role}: ${messageOf(error)}`;
  return new ServiceError({ service: role, reason: 'INTERNAL', code: 'INTERNAL', message }, { cause: error });
}

function stoppingError(service: string): ServiceError {
  return new ServiceError({
    service,
    reason: 'SERVICE_UNAVAILABLE',
    code: 'UNAVAILABLE',
    message: `${service} is stopping`,
  });
}

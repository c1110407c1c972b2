import { setImmediate as turn } from 'node:timers/promises';
import type { CallContext, ServiceImplementation, TsProtoServiceDefinition } from 'nice-grpc';
import type { Role } from '../kit/roles.ts';
import { type Door, wentAway } from './calls.ts';

type Handler = (request: unknown, context: CallContext) => unknown;

/** How a call meets the test that stands at the door, and the crash of its service. */
export interface Entrance {
  role: Role;
  door: Door<string>;
  /** Aborted when the fake crashes or stops: all calls in progress fail at that instant. */
  ended: AbortSignal;
}

/** The same implementation, behind the door. */
export function controlled<D extends TsProtoServiceDefinition>(
  definition: D,
  implementation: ServiceImplementation<D>,
  entrance: Entrance,
): ServiceImplementation<D> {
  return new Proxy(implementation, {
    get(target, name) {
      const handler: Handler = Reflect.get<object, PropertyKey>(target, name);
      const method = definition.methods[String(name)];
      if (method === undefined) return handler;
      const behind: Handler = method.responseStream ? streaming : unary;
      return (request: unknown, context: CallContext) => behind(request, context);

      async function unary(request: unknown, context: CallContext): Promise<unknown> {
        const cut = cutShort(entrance);
        try {
          const plan = entrance.door.enter(String(name), method?.requestStream ? undefined : request);
          await cut.unless(plan.before());
          const answer = await cut.unless(handler.call(target, cut.requests(request), context));
          if (plan.answerIsLost) throw wentAway(entrance.role);
          return answer;
        } finally {
          cut.end();
        }
      }

      async function* streaming(request: unknown, context: CallContext): AsyncGenerator<unknown, void, undefined> {
        const cut = cutShort(entrance);
        try {
          const plan = entrance.door.enter(String(name), method?.requestStream ? undefined : request);
          await cut.unless(plan.before());
          const answers = handler.call(target, cut.requests(request), context) as AsyncIterable<unknown>;
          yield* cut.stream(answers);
          if (plan.answerIsLost) throw wentAway(entrance.role);
        } finally {
          cut.end();
        }
      }
    },
  });
}

/** For one call: rejects whatever it waits for when the service ends. */
function cutShort({ role, ended }: Entrance) {
  const gone = Promise.withResolvers<never>();
  gone.promise.catch(() => undefined);
  const onEnd = () => gone.reject(wentAway(role));
  if (ended.aborted) onEnd();
  else ended.addEventListener('abort', onEnd, { once: true });
  const unless = <T>(work: T | PromiseLike<T>): Promise<T> => Promise.race([gone.promise, work]);

  async function* stream(values: AsyncIterable<unknown>): AsyncGenerator<unknown, void, undefined> {
    const iterator = values[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await unless(iterator.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      // One that was cut may wait for something that never comes; it ends by its own signal.
      const closed = iterator.return?.();
      if (!ended.aborted) await closed;
      else closed?.catch(() => undefined);
    }
  }

  return {
    unless,
    stream,
    requests: (request: unknown) => (isStream(request) ? stream(request) : request),
    end: () => ended.removeEventListener('abort', onEnd),
  };
}

function isStream(request: unknown): request is AsyncIterable<unknown> {
  return typeof request === 'object' && request !== null && Symbol.asyncIterator in request;
}

/** Throws when the caller went away: its frames have then ended as if they were all, a little before the signal says so. */
export async function isStillThere(signal: AbortSignal): Promise<void> {
  await turn();
  signal.throwIfAborted();
}

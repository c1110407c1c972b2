import { setTimeout as delay } from 'node:timers/promises';
import { type CodeName, ServiceError } from '../kit/errors.ts';
import type { Role } from '../kit/roles.ts';
import { currentCall } from '../kit/rpc/call.ts';

/** A failure as the service itself would make it; `UNAVAILABLE` is that of a service that went away. */
export type Failure =
  | 'UNAVAILABLE'
  | { reason: string; code: CodeName; message?: string; metadata?: Record<string, string> };

export interface SeenCall<Method extends string> {
  readonly method: Method;
  /** What the caller sent or, for a stream of requests, undefined. */
  readonly request: unknown;
  readonly requestId: string;
  readonly caller: string;
}

/** A call that waits at the door. */
export interface Held {
  /** Resolves when the call has come; nothing of it has been done yet. */
  readonly reached: Promise<void>;
  release(): void;
}

/** What a test does to calls from outside. Each instruction is for one call, the next of its method; more queue up. */
export interface Calls<Method extends string> {
  /** All calls so far, oldest first. */
  readonly seen: readonly SeenCall<Method>[];
  /** It fails before anything is done. */
  fail(method: Method, failure: Failure, times?: number): void;
  /** It begins so many milliseconds later. */
  delay(method: Method, ms: number): void;
  /** It begins when it is released. */
  hold(method: Method): Held;
  /** It is done, but its caller is told that the service went away. A stream's messages come, its good end does not. */
  dropAnswer(method: Method): void;
  /** Takes back what no call has met yet, and forgets the calls seen. */
  clear(): void;
}

interface Plan {
  before(): Promise<void>;
  answerIsLost: boolean;
}

/** The fake's side of `Calls`: asked at the beginning of each call. */
export interface Door<Method extends string> extends Calls<Method> {
  enter(method: Method, request: unknown): Plan;
}

const undisturbed: Plan = { before: () => Promise.resolve(), answerIsLost: false };

export function createDoor<Method extends string>(role: Role): Door<Method> {
  const seen: SeenCall<Method>[] = [];
  const plans = new Map<Method, Plan[]>();
  const add = (method: Method, before: () => Promise<void>, answerIsLost = false) => {
    const queue = plans.get(method) ?? [];
    queue.push({ before, answerIsLost });
    plans.set(method, queue);
  };
  return {
    seen,
    enter(method, request) {
      const { requestId = '', caller = 'client' } = currentCall() ?? {};
      seen.push({ method, request, requestId, caller });
      return plans.get(method)?.shift() ?? undisturbed;
    },
    fail(method, failure, times = 1) {
      for (let i = 0; i < times; i += 1) add(method, () => Promise.reject(failureOf(role, failure)));
    },
    delay: (method, ms) => add(method, () => delay(ms)),
    hold(method) {
      const reached = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      add(method, () => {
        reached.resolve();
        return released.promise;
      });
      return { reached: reached.promise, release: released.resolve };
    },
    dropAnswer: (method) => add(method, undisturbed.before, true),
    clear() {
      plans.clear();
      seen.length = 0;
    },
  };
}

/** What the caller of a service that went away is told. */
export function wentAway(role: Role): ServiceError {
  return new ServiceError({
    service: role,
    reason: 'SERVICE_UNAVAILABLE',
    code: 'UNAVAILABLE',
    message: `${role} went away`,
  });
}

function failureOf(role: Role, failure: Failure): ServiceError {
  if (failure === 'UNAVAILABLE') return wentAway(role);
  return new ServiceError({ service: role, message: `${failure.reason}, as asked for by a test`, ...failure });
}

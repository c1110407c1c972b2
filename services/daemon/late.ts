import type { ServiceImplementation, TsProtoServiceDefinition } from 'nice-grpc';
import { defineErrors } from '../../kit/errors.ts';

const errors = defineErrors('daemon', {
  booting: { code: 'UNAVAILABLE', message: () => 'the engine is not up: it is booting or ending' },
});

/** What a caller waits for a service that is down (a coordinator that was killed is back within it). */
const patienceMs = 2_000;

/**
 * A service that is announced before the engine behind it is built. A call that comes before waits for it a little, then
 * gets UNAVAILABLE, BOOTING.
 */
export interface Late<D extends TsProtoServiceDefinition> {
  readonly implementation: ServiceImplementation<D>;
  set(ready: ServiceImplementation<D> | undefined): void;
}

type Method = (...args: unknown[]) => unknown;

export function late<D extends TsProtoServiceDefinition>(definition: D): Late<D> {
  let current = Promise.withResolvers<ServiceImplementation<D>>();
  let isSet = false;

  async function method(name: string): Promise<Method> {
    const giveUp = Promise.withResolvers<never>();
    const timer = setTimeout(() => giveUp.reject(errors.booting()), patienceMs);
    try {
      return Reflect.get(await Promise.race([current.promise, giveUp.promise]), name) as Method;
    } finally {
      clearTimeout(timer);
    }
  }
  async function* streaming(name: string, args: unknown[]): AsyncGenerator<unknown> {
    yield* (await method(name))(...args) as AsyncIterable<unknown>;
  }
  const implementation = Object.fromEntries(
    Object.entries(definition.methods).map(([name, { responseStream }]) => [
      name,
      responseStream
        ? (...args: unknown[]) => streaming(name, args)
        : async (...args: unknown[]) => (await method(name))(...args),
    ]),
  );
  return {
    implementation: implementation as ServiceImplementation<D>,
    set(ready) {
      if (isSet) current = Promise.withResolvers();
      isSet = ready !== undefined;
      if (ready !== undefined) current.resolve(ready);
    },
  };
}

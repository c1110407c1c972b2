import type { CompatServiceDefinition, ServiceImplementation } from 'nice-grpc';
import { defineErrors } from '../../kit/errors.ts';

const errors = defineErrors('daemon', {
  booting: { code: 'UNAVAILABLE', message: () => 'the engine is not up: it is booting or ending' },
});

/** A service that is announced before the engine behind it is built; until then its methods answer UNAVAILABLE, BOOTING. */
export interface Late<D extends CompatServiceDefinition> {
  readonly implementation: ServiceImplementation<D>;
  set(ready: ServiceImplementation<D> | undefined): void;
}

type Method = (...args: unknown[]) => unknown;

export function late<D extends CompatServiceDefinition>(): Late<D> {
  let current: ServiceImplementation<D> | undefined;
  const implementation = new Proxy({} as ServiceImplementation<D>, {
    get:
      (_, name) =>
      (...args: unknown[]) => {
        if (current === undefined) throw errors.booting();
        return (Reflect.get(current, name) as Method)(...args);
      },
  });
  return {
    implementation,
    set: (ready) => {
      current = ready;
    },
  };
}

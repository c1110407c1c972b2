import { errors } from '../errors.ts';
import type { Lifecycle } from './lifecycle.ts';
import { checkedName, generatedName } from './names.ts';

/** Holds a name for a container that is being made; an empty one is made up. NAME_IN_USE, BAD_NAME. */
export function reserveName(lifecycle: Lifecycle, id: string, asked: string): Disposable & { name: string } {
  const { reservedNames } = lifecycle;
  const name = asked === '' ? generatedName(id, (made) => holderOf(lifecycle, made) !== undefined) : checkedName(asked);
  assertNameIsFree(lifecycle, name);
  reservedNames.set(name, id);
  return { name, [Symbol.dispose]: () => void reservedNames.delete(name) };
}

export function assertNameIsFree(lifecycle: Lifecycle, name: string): void {
  const holder = holderOf(lifecycle, name);
  if (holder !== undefined) throw errors.nameInUse({ name, holder });
}

function holderOf({ repository, reservedNames }: Lifecycle, name: string): string | undefined {
  return repository.byName(name)?.id ?? reservedNames.get(name);
}

/** Writes the name to the link graph. A name that its container has left behind there is no hindrance. */
export function takeName({ engine, repository }: Lifecycle, name: string, id: string): void {
  const left = engine.links.get(`/${name}`);
  if (left === id) return;
  if (left !== undefined && repository.get(left) === undefined) engine.links.purge(left);
  engine.links.set(`/${name}`, id);
}

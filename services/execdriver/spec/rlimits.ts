import { isResource, type Resource, type ResourceLimit, RLIM_INFINITY } from '../../../kit/linux/resource-limits.ts';
import { errors } from '../errors.ts';
import type { OciRlimit } from './oci.ts';

/** As `--ulimit` names and counts them: `nofile`; -1 is no limit. */
export interface Wish {
  name: string;
  soft: bigint;
  hard: bigint;
}

/** Wishes for the container come before the engine's defaults; without CAP_SYS_RESOURCE none goes above what the engine has. */
export function rlimitsFor(
  wishes: readonly Wish[],
  defaults: readonly Wish[],
  held: ReadonlyMap<Resource, ResourceLimit>,
  mayRaise: boolean,
): OciRlimit[] {
  const byName = new Map([...defaults, ...wishes].map((wish) => [wish.name.toLowerCase(), wish]));
  return [...byName.values()].map((wish) => {
    const type = `RLIMIT_${wish.name.toUpperCase()}`;
    if (!isResource(type)) throw errors.badSpec({ field: 'rlimits', detail: `invalid ulimit type: ${wish.name}` });
    const asked = { soft: amount(wish.soft), hard: amount(wish.hard) };
    if (asked.soft > asked.hard) {
      const detail = `ulimit soft limit must be less than or equal to hard limit: ${wish.soft} > ${wish.hard}`;
      throw errors.badSpec({ field: 'rlimits', detail });
    }
    const most = mayRaise ? RLIM_INFINITY : (held.get(type)?.hard ?? RLIM_INFINITY);
    const hard = least(asked.hard, most);
    return { type, soft: least(asked.soft, hard), hard };
  });
}

function amount(value: bigint): bigint {
  return value < 0n ? RLIM_INFINITY : value;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

import { isResource, type Resource, type ResourceLimit, RLIM_INFINITY } from '../../../kit/linux/resource-limits.ts';
import { errors } from '../errors.ts';
import type { OciRlimit } from './oci.ts';

/** As `--ulimit` names and counts them: `nofile`; -1 is no limit. */
export interface Wish {
  name: string;
  soft: bigint;
  hard: bigint;
}

/** Up to where the engine may set limits: to what it has itself, or, with CAP_SYS_RESOURCE, to what the kernel allows. */
interface Bounds {
  held: ReadonlyMap<Resource, ResourceLimit>;
  mayRaise: boolean;
  mostOpenFiles: bigint;
}

/** Wishes for the container come before the engine's defaults; none goes above what the engine may set. */
export function rlimitsFor(wishes: readonly Wish[], defaults: readonly Wish[], bounds: Bounds): OciRlimit[] {
  const byName = new Map([...defaults, ...wishes].map((wish) => [wish.name.toLowerCase(), wish]));
  return [...byName.values()].map((wish) => {
    const type = `RLIMIT_${wish.name.toUpperCase()}`;
    if (!isResource(type)) throw errors.badSpec({ field: 'rlimits', detail: `invalid ulimit type: ${wish.name}` });
    const asked = { soft: amount(wish.soft), hard: amount(wish.hard) };
    if (asked.soft > asked.hard) {
      const detail = `ulimit soft limit must be less than or equal to hard limit: ${wish.soft} > ${wish.hard}`;
      throw errors.badSpec({ field: 'rlimits', detail });
    }
    const hard = least(asked.hard, mostOf(type, bounds));
    return { type, soft: least(asked.soft, hard), hard };
  });
}

function mostOf(type: Resource, { held, mayRaise, mostOpenFiles }: Bounds): bigint {
  if (!mayRaise) return held.get(type)?.hard ?? RLIM_INFINITY;
  return type === 'RLIMIT_NOFILE' ? mostOpenFiles : RLIM_INFINITY;
}

function amount(value: bigint): bigint {
  return value < 0n ? RLIM_INFINITY : value;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

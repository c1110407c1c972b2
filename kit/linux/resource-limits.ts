import { check, libc } from './libc.ts';

/** Names as OCI has them and numbers as getrlimit(2) has them (the same on x86-64 and arm64). */
const resources = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
} as const;

export type Resource = keyof typeof resources;

/** RLIM_INFINITY is no limit. */
export type ResourceLimit = { readonly soft: bigint; readonly hard: bigint };

export const RLIM_INFINITY = 2n ** 64n - 1n;

/** A limit of this process. Node raises the soft RLIMIT_NOFILE to the hard one when it starts. */
export function resourceLimit(resource: Resource): ResourceLimit {
  const pair = Buffer.alloc(16); // struct rlimit { u64 soft, hard }
  check(libc.getrlimit(resources[resource], pair), 'getrlimit', resource);
  return { soft: pair.readBigUInt64LE(0), hard: pair.readBigUInt64LE(8) };
}

/** All limits of this process. */
export function resourceLimits(): ReadonlyMap<Resource, ResourceLimit> {
  const limits = new Map<Resource, ResourceLimit>();
  for (const name in resources) if (isResource(name)) limits.set(name, resourceLimit(name));
  return limits;
}

/** True for a name that this kernel interface knows: to check what a user wrote. */
export function isResource(name: string): name is Resource {
  return Object.hasOwn(resources, name);
}

import { closeSync, existsSync, openSync, readFileSync, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A grace period lets joins through at once for some 15 ms after it; more often is of no use. */
const onceInMs = 5;

let underWay: Promise<void> | undefined;
let lastAt = Number.NEGATIVE_INFINITY;

/**
 * To be called when a process is about to join a cgroup, that is when a container or a command in one will be started within
 * milliseconds: the runtime then needs not wait. After a quiet while the first write to any cgroup.procs of the host waits
 * 7 to 15 ms for an RCU grace period (percpu_down_write of cgroup_threadgroup_rwsem, kernel/cgroup/cgroup.c), and for a while
 * after it none does. This one begins to wait now, on a thread of the pool, by joining the cgroup that we are in. Where that
 * is not allowed, the runtime waits as ever. Never rejects; nobody needs to await it.
 */
export async function expectCgroupJoin(procs: () => string | undefined = ownProcs): Promise<void> {
  if (performance.now() - lastAt < onceInMs) return;
  underWay ??= joinBy(procs)
    .catch(() => undefined)
    .finally(() => {
      underWay = undefined;
      lastAt = performance.now();
    });
  await underWay;
}

async function joinBy(procs: () => string | undefined): Promise<void> {
  const file = procs();
  if (file === undefined) return;
  // Opened here, so that the wait begins before our caller goes on: a busy event loop would come back to it milliseconds later.
  const descriptor = openSync(file, 'r+');
  try {
    // 0 is whoever writes it, cgroups(7).
    await promisify(write)(descriptor, Buffer.from('0'));
  } finally {
    closeSync(descriptor);
  }
}

let own: { cgroups: string; procs: string | undefined } | undefined;

function ownProcs(): string | undefined {
  // Looked up each time: somebody may have moved us, and we must not move back.
  const cgroups = readFileSync('/proc/self/cgroup', 'utf8');
  if (cgroups !== own?.cgroups) own = { cgroups, procs: ownProcsFiles(cgroups).find((file) => existsSync(file)) };
  return own.procs;
}

/** Where cgroup.procs of the cgroups that /proc/self/cgroup names may be, cgroups(7). Not all hierarchies are mounted. */
export function ownProcsFiles(cgroups: string): string[] {
  return cgroups.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.+)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    return [join('/sys/fs/cgroup', controllers.replace('name=', ''), path, 'cgroup.procs')];
  });
}

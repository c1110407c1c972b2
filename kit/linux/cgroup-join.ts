import { closeSync, openSync, readSync, write } from 'node:fs';
import { join } from 'node:path';

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
export function expectCgroupJoin(procs: () => number | undefined = ownProcs): Promise<void> {
  if (underWay !== undefined) return underWay;
  if (performance.now() - lastAt < onceInMs) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  underWay = promise;
  const end = () => {
    underWay = undefined;
    lastAt = performance.now();
    resolve();
  };
  try {
    const descriptor = procs();
    if (descriptor === undefined) end();
    else write(descriptor, ourselves, end);
  } catch {
    end();
  }
  return promise;
}

/** 0 is whoever writes it, cgroups(7). */
const ourselves = Buffer.from('0');

/** What /proc/self/cgroup said, and the cgroup.procs of one of the cgroups there: a request waits for each file opened here. */
let own: { cgroups: Buffer; procs: number | undefined } | undefined;
let cgroupsFile: number | undefined;
const text = Buffer.alloc(4096);

function ownProcs(): number | undefined {
  // Looked up each time: somebody may have moved us, and we must not move back.
  cgroupsFile ??= openSync('/proc/self/cgroup', 'r');
  const cgroups = text.subarray(0, readSync(cgroupsFile, text, 0, text.length, 0));
  if (own === undefined || !own.cgroups.equals(cgroups)) {
    if (own?.procs !== undefined) closeSync(own.procs);
    own = { cgroups: Buffer.from(cgroups), procs: openFirst(ownProcsFiles(cgroups.toString())) };
  }
  return own.procs;
}

function openFirst(files: readonly string[]): number | undefined {
  for (const file of files) {
    try {
      return openSync(file, 'r+');
    } catch {
      // Not mounted, or not ours to write.
    }
  }
  return undefined;
}

/** Where cgroup.procs of the cgroups that /proc/self/cgroup names may be, cgroups(7). Not all hierarchies are mounted. */
export function ownProcsFiles(cgroups: string): string[] {
  return cgroups.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.+)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    return [join('/sys/fs/cgroup', controllers.replace('name=', ''), path, 'cgroup.procs')];
  });
}

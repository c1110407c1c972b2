import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod/mini';
import type { Role } from '../../../kit/roles.ts';

const shape = z.object({
  pid: z.number(),
  /** Clock ticks since boot, field 22 of /proc/pid/stat: tells the process from a later one with its pid. */
  startTime: z.string(),
  version: z.string(),
  args: z.array(z.string()),
});

/** What the next coordinator must know of a service to adopt or replace it. */
export type ServiceRecord = z.infer<typeof shape>;

const pathOf = (execRoot: string, role: Role) => join(execRoot, 'services', `${role}.json`);

export function readServiceRecord(execRoot: string, role: Role): ServiceRecord | undefined {
  try {
    return shape.parse(JSON.parse(readFileSync(pathOf(execRoot, role), 'utf8')));
  } catch {
    // Missing, or cut short by a crash: the sockets tell the rest.
    return undefined;
  }
}

export function writeServiceRecord(execRoot: string, role: Role, record: ServiceRecord): void {
  const path = pathOf(execRoot, role);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

export function removeServiceRecord(execRoot: string, role: Role): void {
  rmSync(pathOf(execRoot, role), { force: true });
}

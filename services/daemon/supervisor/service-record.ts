import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Role } from '../../../kit/roles.ts';

/** What the next coordinator must know of a service to adopt or replace it. */
export interface ServiceRecord {
  pid: number;
  /** Clock ticks since boot, field 22 of /proc/pid/stat: tells the process from a later one with its pid. */
  startTime: string;
  version: string;
  args: string[];
}

const pathOf = (execRoot: string, role: Role) => join(execRoot, 'services', `${role}.json`);

export function readServiceRecord(execRoot: string, role: Role): ServiceRecord | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(pathOf(execRoot, role), 'utf8'));
    return isServiceRecord(record) ? record : undefined;
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

function isServiceRecord(value: unknown): value is ServiceRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, startTime, version, args } = value as Record<string, unknown>;
  return Number.isInteger(pid) && typeof startTime === 'string' && typeof version === 'string' && Array.isArray(args);
}

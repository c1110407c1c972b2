import type { Records } from '../../../kit/records.ts';
import type { SentLog } from '../logs/forward/destination.ts';

/**
 * `starting`: what is needed may be half made; `running`, `paused`: its init has been let go; `exited`: its exit fact is known.
 */
export type State = 'starting' | 'running' | 'paused' | 'exited';

/** A process that is not mistaken for a later one with its pid. */
export interface ProcessMark {
  pid: number;
  /** startTimeOf's. */
  startTime: string;
}

export interface ExitFact {
  /** As a shell has it: 128 + n after signal n. */
  code: number;
  oomKilled: boolean;
  /** Nanoseconds since 1970. */
  timeNs: bigint;
  /** The monitor was lost, and the code with it. */
  unknown: boolean;
}

/** How a container was asked to be run, as far as it matters once it runs. */
export interface Terms {
  containerName: string;
  runtime: string;
  cgroup: string;
  /** Where on the host others that join its IPC find /dev/shm; empty, or of an earlier version, absent: it is its own alone. */
  shm?: string;
  /** Of the pids of its processes, others see some too; of an earlier version, absent: it is not known. */
  sharesPids?: boolean;
  tty: boolean;
  additionalGroups: readonly string[];
  limitsMemory: boolean;
  openStdin: boolean;
  stdinOnce: boolean;
  /** `none`: nothing is kept. */
  logDriver: string;
  /** Bytes after which a log file is rotated; 0: never. */
  logMaxSize: number;
  logMaxFiles: number;
  /** How it is sent on to another log; undefined: it is only kept. */
  sentLog?: SentLog | undefined;
  /** What is kept is for sending on alone. */
  isLogUnreadable?: boolean;
}

/** One container's newest generation. */
export interface ContainerRecord {
  id: string;
  generation: number;
  state: State;
  bootId: string;
  terms: Terms;
  /** What confines it; empty where the kernel has no AppArmor; of an earlier version, absent: it is not known. */
  appArmorProfile?: string;
  init: ProcessMark | undefined;
  monitor: ProcessMark | undefined;
  /** Nanoseconds since 1970; 0: not started. */
  startedNs: bigint;
  exit: ExitFact | undefined;
  /** Of its processes, killed by the kernel for want of memory, as far as has been told. */
  oomKills: number;
}

export const migrations = [
  `CREATE TABLE container (
     id TEXT PRIMARY KEY, record TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE event (
     cursor INTEGER PRIMARY KEY, event TEXT NOT NULL
   ) STRICT;
   CREATE TABLE seccomp_program (
     key TEXT PRIMARY KEY, program BLOB NOT NULL, made_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE claimed_mount (
     target TEXT PRIMARY KEY
   ) STRICT;`,
  `CREATE TABLE exec (
     id TEXT PRIMARY KEY, record TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE exec_event (
     cursor INTEGER PRIMARY KEY, event TEXT NOT NULL
   ) STRICT;`,
];

/** The durable side of containers. Write inside a transaction to join it. */
export interface ContainerRecords {
  load(): ContainerRecord[];
  save(record: ContainerRecord): void;
  remove(id: string): void;
}

export function containerRecords(records: Records): ContainerRecords {
  return {
    load: () =>
      records
        .prepare('SELECT record FROM container')
        .all()
        .map((row) => decode<ContainerRecord>(String(row.record))),
    save(record) {
      records.prepare('INSERT OR REPLACE INTO container (id, record) VALUES (?, ?)').run(record.id, encode(record));
    },
    remove(id) {
      records.prepare('DELETE FROM container WHERE id = ?').run(id);
    },
  };
}

/** JSON in which 64-bit numbers are `{"$ns": "…"}`. */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? { $ns: `${member}` } : member));
}

export function decode<T>(text: string): T {
  return JSON.parse(text, (_, member: unknown) =>
    typeof member === 'object' && member !== null && '$ns' in member ? BigInt(String(member.$ns)) : member,
  );
}

import { openRecords, type Records } from '../../../kit/records.ts';

/** Containers and events share a file, so that what happened and what was recorded of it are one commit. */
export const migrations = [
  `CREATE TABLE container (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     status TEXT NOT NULL,
     desired TEXT NOT NULL,
     generation INTEGER NOT NULL,
     pending TEXT,
     request BLOB NOT NULL,
     facts TEXT NOT NULL
   ) STRICT;
   CREATE TABLE event (
     cursor INTEGER PRIMARY KEY,
     time_ns INTEGER NOT NULL,
     event BLOB NOT NULL
   ) STRICT;
   CREATE TABLE watch (owner TEXT PRIMARY KEY, cursor INTEGER NOT NULL) STRICT;`,
  'CREATE TABLE health (id TEXT PRIMARY KEY, generation INTEGER NOT NULL, health TEXT NOT NULL) STRICT;',
];

/** Opens `<data-root>/daemon/containers.db`. A newer schema is refused: RECORDS_TOO_NEW. */
export function openContainerRecords(path: string): Records {
  return openRecords(path, { migrations });
}

import { openRecords, type Records } from '../../../kit/records.ts';

/** The entity that all names begin at. */
export const rootEntity = '0';

export const migrations = [
  `CREATE TABLE entity (id TEXT NOT NULL PRIMARY KEY) STRICT;
   CREATE TABLE edge (
     entity_id TEXT NOT NULL,
     parent_id TEXT,
     name TEXT NOT NULL,
     CONSTRAINT parent_fk FOREIGN KEY (parent_id) REFERENCES entity (id),
     CONSTRAINT entity_fk FOREIGN KEY (entity_id) REFERENCES entity (id)
   ) STRICT;
   CREATE UNIQUE INDEX name_parent_ix ON edge (parent_id, name);
   CREATE INDEX edge_entity_ix ON edge (entity_id);
   INSERT INTO entity (id) VALUES ('${rootEntity}');
   INSERT INTO edge (entity_id, parent_id, name) VALUES ('${rootEntity}', NULL, '/');`,
];

export function openLinkRecords(path: string): Records {
  return openRecords(path, { migrations });
}

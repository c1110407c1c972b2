/** Schema of the network service's records; one statement list per version, never edited once released. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE network (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    driver TEXT NOT NULL,
    created_at_ns TEXT NOT NULL
  ) STRICT;

  -- The default bridge as it is, or is about to be.
  CREATE TABLE bridge (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    is_ours INTEGER NOT NULL
  ) STRICT;

  -- A sandbox is 'creating' until all of it stands, 'removing' until all of it is gone. boot_id says which boot's kernel has it.
  -- spec and answer are CreateSandboxRequest and Sandbox messages.
  CREATE TABLE sandbox (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'removing')),
    boot_id TEXT NOT NULL,
    spec BLOB NOT NULL,
    answer BLOB NOT NULL
  ) STRICT;

  -- The address that was given out last, so that one just released is not given to another at once.
  CREATE TABLE last_address (
    network_id TEXT PRIMARY KEY,
    address INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE address (
    network_id TEXT NOT NULL,
    address INTEGER NOT NULL,
    sandbox_id TEXT NOT NULL REFERENCES sandbox (id) ON DELETE CASCADE,
    PRIMARY KEY (network_id, address)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX address_sandbox ON address (sandbox_id);

  CREATE TABLE event (
    cursor INTEGER PRIMARY KEY,
    event BLOB NOT NULL
  ) STRICT;
  `,
];

/** Schema of the volume service's records; one entry per version, never edited once released. */
export const migrations: readonly string[] = [
  `
  -- 'making': the directory may exist or not; the call has not been answered. 'removing': some of it may be gone.
  CREATE TABLE volume (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('making', 'ready', 'removing')),
    driver TEXT NOT NULL,
    options TEXT NOT NULL,
    labels TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    created_at_ns TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- is_filled: the image's files have been offered to this holder once.
  CREATE TABLE holding (
    volume TEXT NOT NULL REFERENCES volume (name) ON DELETE CASCADE,
    holder TEXT NOT NULL,
    is_mounted INTEGER NOT NULL DEFAULT 0,
    is_filled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (volume, holder)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX holding_holder ON holding (holder);

  -- The boot of the host that is_mounted speaks of.
  CREATE TABLE boot (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    boot_id TEXT NOT NULL
  ) STRICT;

  CREATE TABLE event (
    cursor INTEGER PRIMARY KEY,
    event BLOB NOT NULL
  ) STRICT;
  `,
];

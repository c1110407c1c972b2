/** `<data root>/graph/images.db`. Images are kept by driver: the layers of one driver are nothing to another. */
export const migrations: readonly string[] = [
  `CREATE TABLE image (
     key INTEGER PRIMARY KEY,
     driver TEXT NOT NULL,
     id TEXT NOT NULL,
     config BLOB NOT NULL,
     last_tagged_us INTEGER NOT NULL DEFAULT 0,
     UNIQUE (driver, id)
   ) STRICT;
   CREATE TABLE image_layer (
     image INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
     position INTEGER NOT NULL,
     layer TEXT NOT NULL,
     diff_id TEXT NOT NULL,
     blob TEXT NOT NULL,
     size INTEGER NOT NULL,
     PRIMARY KEY (image, position)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX image_layer_layer ON image_layer (layer);
   CREATE INDEX image_layer_blob ON image_layer (blob);
   CREATE TABLE tag (
     driver TEXT NOT NULL,
     name TEXT NOT NULL,
     image INTEGER NOT NULL REFERENCES image,
     PRIMARY KEY (driver, name)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX tag_image ON tag (image);
   CREATE TABLE holder (
     holder TEXT NOT NULL,
     image INTEGER NOT NULL REFERENCES image,
     PRIMARY KEY (holder, image)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX holder_image ON holder (image);
   CREATE TABLE event (
     cursor INTEGER PRIMARY KEY,
     action TEXT NOT NULL,
     image TEXT NOT NULL,
     attributes TEXT NOT NULL,
     time_us INTEGER NOT NULL
   ) STRICT;`,
];

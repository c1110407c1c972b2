/**
 * The records below a data root, and the newest schema of each that this version knows: so that a root of a newer version is
 * refused before anything in it is touched. Raised with each migration; a test compares it with what a boot makes.
 */
export const recordFiles: Readonly<Record<string, number>> = {
  'daemon/engine.db': 1,
  'daemon/containers.db': 2,
  'daemon/linkgraph.db': 1,
  'execdriver/processes.db': 3,
  'graph/images.db': 1,
  'graphdriver/layers.db': 1,
  'network/records.db': 1,
  'volumes/volumes.db': 1,
};

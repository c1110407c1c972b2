import { parentPort } from 'node:worker_threads';
import { toBytes, toText } from '../../kit/archive/bytes.ts';
import { deleteTree } from '../../kit/linux/delete-tree.ts';
import { syncFilesystem } from '../../kit/linux/sync-filesystem.ts';
import { copyTree } from './tree/copy.ts';
import { differences } from './tree/difference.ts';
import { measureDifference } from './tree/measure.ts';
import { packDifference } from './tree/pack.ts';
import { createLayerUnpacker } from './unpack/unpacker.ts';
import type { Change } from './work/jobs.ts';
import { type JobTable, serveJobs } from './work/run-job.ts';
import { unpackArchive } from './work/unpack-archive.ts';

const changesPerMessage = 1000;

/** The thread that does the work on files; started by work/worker-pool.ts. */
const jobs: JobTable = {
  unpack: unpackArchive,
  async pack({ source }, context) {
    for (const frame of packDifference(source)) await context.output(frame);
    return undefined;
  },
  async listChanges({ source }, context) {
    const changes = Array.from(differences(source), ({ path, kind }) => ({ path: `/${path}`, kind }));
    changes.sort((left, right) => (left.path < right.path ? -1 : 1));
    for (let first = 0; first < changes.length; first += changesPerMessage) {
      const some = changes.slice(first, first + changesPerMessage);
      await context.output(some.map(({ path, kind }): Change => ({ path: toText(path), kind })));
    }
    return undefined;
  },
  async measure({ source }) {
    return measureDifference(source);
  },
  async copy({ from, to }) {
    using unpacker = createLayerUnpacker({ root: to, whiteouts: 'in place', lowers: [] });
    copyTree(from, unpacker);
    unpacker.finish();
    syncFilesystem(toBytes(to));
    return undefined;
  },
  async delete({ path }) {
    deleteTree(path);
    return undefined;
  },
};

if (parentPort !== null) serveJobs(parentPort, jobs);

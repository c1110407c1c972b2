import { mkdir, readdir, rename } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { deleteFiles } from './delete-files.ts';
import { type Filling, fill, isQuick } from './fill.ts';

/** Puts into an empty volume what the image has at its place, once for each container that comes to have it. */
export interface Filler {
  /**
   * Fills the directory if it is empty. `isShared`: others look at it already, or something is mounted there, so it cannot
   * be exchanged as a whole.
   */
  fillIfEmpty(source: Omit<Filling, 'target'>, directory: string, isShared: boolean): Promise<void>;
  /** Removes what a crash has left of a filling. */
  sweep(directory: string): Promise<void>;
}

/** Beside the directory that it will become: a filling that was cut is never taken for a whole one. */
const unfinished = (directory: string) => `${directory}.filling`;

export function createFiller(): Filler {
  const sweep = (directory: string) => deleteFiles(unfinished(directory));
  return {
    sweep,
    async fillIfEmpty(source, directory, isShared) {
      if ((await readdir(directory)).length > 0) return;
      if (isShared) {
        await fillNow({ ...source, target: directory });
        return;
      }
      await sweep(directory);
      const target = unfinished(directory);
      await mkdir(target, { mode: 0o755 });
      if (await fillNow({ ...source, target })) await rename(target, directory);
      else await sweep(directory);
    },
  };
}

async function fillNow(filling: Filling): Promise<boolean> {
  if (isQuick(filling)) return fill(filling);
  const worker = new Worker(new URL('./fill-worker.ts', import.meta.url), { workerData: filling });
  return new Promise((resolve, reject) => {
    worker.once('message', (isFilled: boolean) => resolve(isFilled));
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that copies into a volume has ended early')));
  });
}

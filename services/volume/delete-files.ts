import { rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { hasCode } from '../../kit/linux/system-error.ts';

/** Deletes a directory with all that containers have put there, which may be deeper than any path can say. */
export async function deleteFiles(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, 'ENAMETOOLONG')) throw error;
    await inThread(directory);
  }
}

/** Going down by descriptors holds up its thread. */
function inThread(directory: string): Promise<void> {
  const worker = new Worker(new URL('./delete-worker.ts', import.meta.url), { workerData: directory });
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error('the thread that deletes has ended early')),
    );
  });
}

import { rmSync, watch } from 'node:fs';
import { join } from 'node:path';

/** The monitor makes this file when the kernel tells it that the container is out of memory. */
const noticeName = 'oom';

/** Calls back each time that a container has run out of memory. Returns what ends the watch. */
export function watchOom(bundle: string, onOom: () => void): () => void {
  const notice = join(bundle, noticeName);
  const watcher = watch(bundle, { persistent: false }, (_, name) => {
    if (name !== noticeName) return;
    // Taken away, so that the next one is seen too.
    rmSync(notice, { force: true });
    onOom();
  });
  watcher.on('error', () => {});
  return () => watcher.close();
}

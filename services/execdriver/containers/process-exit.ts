import { syscall } from '../../../kit/linux/libc.ts';
import { processAlive } from '../../../kit/linux/process.ts';
import { streamOver } from '../../../kit/linux/stream.ts';
import type { ProcessMark } from './record.ts';

/**
 * Settles when a process has ended, ours or not; at once when it has. The event loop watches a pidfd, which becomes readable
 * then; reading it is EINVAL, always: that error is the news.
 */
export function processExit({ pid, startTime }: ProcessMark): { ended: Promise<void>; stop(): void } {
  const pidfd = syscall('pidfd_open', pid, 0);
  // The pidfd holds on to whoever has the pid now; the start time tells whether that is the one we mean.
  if (pidfd < 0) return { ended: Promise.resolve(), stop() {} };
  const watch = streamOver(pidfd, { readable: true });
  const { promise, resolve } = Promise.withResolvers<void>();
  watch.once('error', () => {});
  watch.once('close', resolve);
  if (processAlive(pid, startTime)) watch.resume();
  else watch.destroy();
  watch.unref();
  return { ended: promise, stop: () => watch.destroy() };
}

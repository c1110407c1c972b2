import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../../kit/errors.ts';
import { detached } from '../../../kit/rpc/call.ts';
import { endProcess } from './end-process.ts';
import type { Lifecycle } from './lifecycle.ts';
import { isAlive } from './record.ts';
import { release } from './release.ts';
import { cancelRestart } from './restarts.ts';
import { signalNumber } from './signals.ts';

/** How long verbs that are under way may take to come to their end. */
const queuePatienceMs = 10_000;
const pollMs = 10;

/** Nothing starts any more. Without live restore what runs is stopped, all at once; what a user wanted of it is left as it is. */
export async function shutDown(lifecycle: Lifecycle, { liveRestore }: { liveRestore: boolean }): Promise<void> {
  lifecycle.isEnding = true;
  lifecycle.health.close();
  for (const id of [...lifecycle.restartTimers.keys()]) cancelRestart(lifecycle, id);
  if (!liveRestore) {
    const running = lifecycle.repository.all().filter(isAlive);
    await detached(() => Promise.all(running.map(({ id }) => stopForGood(lifecycle, id))));
  }
  const end = Date.now() + queuePatienceMs;
  while (lifecycle.queue.size > 0 && Date.now() < end) await pause(pollMs);
}

async function stopForGood(lifecycle: Lifecycle, id: string): Promise<void> {
  try {
    await lifecycle.queue.run(id, async () => {
      const record = lifecycle.repository.get(id);
      if (record === undefined || !isAlive(record)) return;
      const { stopSignal, stopTimeoutS } = record.config;
      const seconds = stopTimeoutS ?? lifecycle.engine.facts.defaults.stopTimeoutS;
      await endProcess(lifecycle, record, signalNumber(stopSignal || 'SIGTERM'), seconds);
      const ended = lifecycle.repository.get(id);
      if (ended !== undefined) await release(lifecycle, ended);
    });
  } catch (error) {
    lifecycle.log.warn({ container: id, problem: messageOf(error) }, 'a container could not be stopped');
  }
}

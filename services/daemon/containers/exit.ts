import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../../kit/errors.ts';
import { detached } from '../../../kit/rpc/call.ts';
import type { ContainerProcess, ExitFact } from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import { containerEvent } from './container-event.ts';
import type { Lifecycle } from './lifecycle.ts';
import { withoutAddresses } from './network-plan.ts';
import { type ContainerRecord, isAlive, type Pending } from './record.ts';
import { release } from './release.ts';
import { removeNow } from './remove.ts';
import { restartDelay } from './restart-policy.ts';
import { scheduleRestart } from './restarts.ts';

/**
 * A process has ended. The exit is recorded at once, whatever the container's queue does, and those who wait are told; what
 * the container held is given back in the queue, so a start or a removal that comes next finds it free. Known exits and
 * those of older generations are passed over.
 */
export function exited(lifecycle: Lifecycle, process: ContainerProcess): void {
  if (lifecycle.heldExits !== undefined) {
    lifecycle.heldExits.push(process);
    return;
  }
  const record = lifecycle.repository.get(process.id);
  if (record === undefined || process.exit === undefined || process.generation !== record.generation) return;
  if (record.status === 'starting') {
    lifecycle.earlyExits.set(record.id, process);
    return;
  }
  if (!isAlive(record)) return;
  const signalling = lifecycle.signalling.get(record.id);
  if (signalling !== undefined) {
    const again = () => exited(lifecycle, process);
    void signalling.then(again, again);
    return;
  }
  const settled = settleExit(lifecycle, record, process.exit);
  void detached(() => afterExit(lifecycle, settled));
}

const ofTheLiving: ReadonlySet<Pending['verb']> = new Set(['stop', 'update', 'unlink']);

/** Records an exit and tells those who wait. */
export function settleExit(lifecycle: Lifecycle, record: ContainerRecord, exit: ExitFact): ContainerRecord {
  const { id, pending } = record;
  const isRestartedByHand = pending?.verb === 'restart';
  const delayMs = isRestartedByHand || lifecycle.isEnding ? undefined : restartDelay(record, exit);
  const settled: ContainerRecord = {
    ...record,
    status: delayMs === undefined ? 'exited' : 'restarting',
    // A stop has come to its end by this, and there is nothing to change any more; the others go on.
    pending: pending !== undefined && ofTheLiving.has(pending.verb) ? undefined : pending,
    pid: 0,
    exitCode: exit.code,
    oomKilled: exit.oomKilled,
    finishedAtNs: exit.timeNs,
    network: withoutAddresses(record.network),
    restartCount: record.restartCount + (delayMs === undefined ? 0 : 1),
    backoffMs: delayMs ?? 0,
  };
  const ranSeconds = Number((exit.timeNs - record.startedAtNs) / 1_000_000_000n);
  const attributes = { exitCode: String(exit.code), execDuration: String(Math.max(0, ranSeconds)) };
  lifecycle.repository.apply({
    put: [settled],
    events: [containerEvent(settled, 'die', lifecycle.now(), attributes)],
  });
  lifecycle.waits.exited(id, { code: exit.code });
  return settled;
}

/** What follows an exit: a restart in its time, and the return of what was held. */
export function afterExit(lifecycle: Lifecycle, settled: ContainerRecord): Promise<void> {
  if (settled.status === 'restarting') scheduleRestart(lifecycle, settled.id, settled.backoffMs);
  return tearDown(lifecycle, settled);
}

const firstPauseMs = 500;
const longestPauseMs = 30_000;

/** Gives back what it held, for as long as that takes, and removes it when it was made to go with its end. */
async function tearDown(lifecycle: Lifecycle, settled: ContainerRecord): Promise<void> {
  const { id, generation } = settled;
  const { repository, queue, log } = lifecycle;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      await queue.run(id, async () => {
        const record = repository.get(id);
        if (record === undefined || record.generation !== generation) return;
        const isToGo = record.hostConfig.autoRemove && record.status === 'exited' && record.pending === undefined;
        if (isToGo) await removeNow(lifecycle, record, true);
        else await release(lifecycle, record);
      });
      return;
    } catch (error) {
      log.warn({ container: id, problem: messageOf(error) }, 'what an ended container held is not given back yet');
    }
    if (lifecycle.isEnding || repository.get(id)?.generation !== generation) return;
    await pause(pauseMs, undefined, { ref: false });
  }
}

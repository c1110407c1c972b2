import { isServiceError } from '../../../kit/errors.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import { errors } from '../errors.ts';
import { containerEvent } from './container-event.ts';
import { insist } from './insist.ts';
import type { Lifecycle } from './lifecycle.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import { SIGKILL } from './signals.ts';

/** How long a process may take to go after SIGKILL. */
const killPatienceS = 10;

/**
 * `record` is as it was before the verb: its status says whether it is paused.
 *
 * The stop signal, then after `timeoutS` seconds (-1: never) SIGKILL. Returns when the exit is recorded.
 */
export async function endProcess(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  signal: number,
  timeoutS: number,
): Promise<void> {
  const gone = exitOf(lifecycle, record);
  await deliver(lifecycle, record, signal);
  if (await within(gone, timeoutS)) return;
  await killAndWait(lifecycle, record);
}

/** SIGKILL to all of its processes. Returns when the exit is recorded. KILL_FAILED after 10 seconds. */
export async function killAndWait(lifecycle: Lifecycle, record: ContainerRecord): Promise<void> {
  const gone = exitOf(lifecycle, record);
  await deliver(lifecycle, record, SIGKILL);
  if (await within(gone, killPatienceS)) return;
  throw errors.killFailed({ container: record.id, seconds: killPatienceS, pid: record.pid });
}

/** Makes a start that is under way fail, by ending what is about to become the process. */
export async function abandonStart(lifecycle: Lifecycle, { id }: ContainerRecord): Promise<void> {
  const { processes } = lifecycle.engine.clients.execdriver;
  await insist((options) => processes.signalContainer({ id, signal: SIGKILL, all: true }, options));
}

/** A signal that is meant to end a process; one that is paused has to be thawed to take it. */
async function deliver(lifecycle: Lifecycle, record: ContainerRecord, signal: number): Promise<void> {
  const isThere = await sendSignal(lifecycle, record, signal);
  if (isThere && record.status === 'paused') await thaw(lifecycle, record.id);
}

/** Lets the processes of a paused container go on, if there still are any. */
export async function thaw(lifecycle: Lifecycle, id: string): Promise<void> {
  const { processes } = lifecycle.engine.clients.execdriver;
  try {
    await insist((options) => processes.resumeContainer({ id }, options));
  } catch (error) {
    // It has gone between the two calls.
    if (!isServiceError(error, 'NOT_RUNNING')) throw error;
  }
}

/** Sends a signal and says so. False: there is no process any more, and its exit is on the way. */
export async function sendSignal(lifecycle: Lifecycle, record: ContainerRecord, signal: number): Promise<boolean> {
  const { signalling } = lifecycle;
  const sending = send(lifecycle, record, signal);
  signalling.set(record.id, sending);
  try {
    return await sending;
  } finally {
    if (signalling.get(record.id) === sending) signalling.delete(record.id);
  }
}

async function send(lifecycle: Lifecycle, record: ContainerRecord, signal: number): Promise<boolean> {
  const { processes } = lifecycle.engine.clients.execdriver;
  const { id } = record;
  const { outcome } = await insist((options) =>
    processes.signalContainer({ id, signal, all: signal === SIGKILL }, options),
  );
  if (outcome === Outcome.OUTCOME_ABSENT) return false;
  lifecycle.repository.apply({
    events: [containerEvent(record, 'kill', lifecycle.now(), { signal: String(signal) })],
  });
  return true;
}

/** Settles when the process has ended; at once when it has. */
function exitOf(lifecycle: Lifecycle, record: ContainerRecord): Promise<unknown> {
  const now = lifecycle.repository.get(record.id);
  if (now === undefined || !isAlive(now) || now.generation !== record.generation) return Promise.resolve();
  return lifecycle.waits.nextExit(record.id);
}

/** Longer than a timer can be set for is longer than anyone waits. */
const longestS = Math.floor((2 ** 31 - 1) / 1000);

async function within(gone: Promise<unknown>, seconds: number): Promise<boolean> {
  if (seconds < 0 || seconds > longestS) {
    await gone;
    return true;
  }
  const timeout = Promise.withResolvers<false>();
  const timer = setTimeout(() => timeout.resolve(false), seconds * 1000);
  try {
    return await Promise.race([gone.then(() => true), timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

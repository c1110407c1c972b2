import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../../kit/errors.ts';
import { type ContainerProcess, ProcessState } from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import { endStray } from './abandon.ts';
import { type Containers, lifecycleOf } from './containers.ts';
import { afterExit, exited, settleExit } from './exit.ts';
import { insist } from './insist.ts';
import type { Lifecycle } from './lifecycle.ts';
import { refreshHosts } from './link-hosts.ts';
import { networkState } from './network-plan.ts';
import { isLiving, listProcesses } from './process-watch.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import { removeNow } from './remove.ts';
import { wantsRestartAtBoot } from './restart-policy.ts';
import { restartNow } from './restarts.ts';
import { type Action, observe, restoreTable } from './restore-table.ts';
import { start } from './start.ts';
import { stop } from './stop.ts';
import { sweep } from './sweep.ts';
import { settleUnlink } from './unlink.ts';
import { finishUpdate } from './update.ts';

/** How long the boot waits for what goes on in the containers' queues: starts, removals, stops. They end by themselves. */
const followUpPatienceMs = 3_000;
/** Without its watch the exec driver does not answer the list that comes next either, and that says why. */
const watchPatienceMs = 15_000;
/** Of starts, stops and removals. More starts only wait for each other in the kernel; a stop waits for its timeout. */
const atOnce = 32;

/** What is left to do in a container's queue, once the sweep is through. */
type FollowUp = () => Promise<unknown>;

/**
 * Brings records and reality together: the living are adopted, the dead settled, verbs that were cut short finished, what
 * nothing refers to swept (told by `swept`), and then restart policies honoured. Gives a line for people.
 */
export async function restore(containers: Containers, swept: () => void = () => {}): Promise<string> {
  const lifecycle = lifecycleOf(containers);
  lifecycle.heldExits = [];
  await Promise.race([containers.watching(), pause(watchPatienceMs, undefined, { ref: false })]);
  const processes = await insist(() => listProcesses(lifecycle));
  const records = lifecycle.repository.all();
  const counts: { [action in Action]?: number } = {};
  const followUps: FollowUp[] = [];
  for (const record of records) {
    const { seen, process } = observe(record, processes.get(record.id), lifecycle.engine.facts.host.bootId);
    const action = restoreTable[record.status][seen];
    counts[action] = (counts[action] ?? 0) + 1;
    const next = await actions[action](lifecycle, record, process);
    if (next !== undefined) followUps.push(next);
  }
  const held = lifecycle.heldExits;
  lifecycle.heldExits = undefined;
  for (const process of held) exited(lifecycle, process);
  const gone = await sweep(lifecycle, processes);
  swept();
  await Promise.race([inTurns(lifecycle, followUps), pause(followUpPatienceMs, undefined, { ref: false })]);
  return summary(records.length, counts, gone);
}

type Act = (
  lifecycle: Lifecycle,
  record: ContainerRecord,
  process: ContainerProcess | undefined,
) => Promise<FollowUp | undefined> | FollowUp | undefined;

const lost = { code: 255, oomKilled: false, unknown: true };

const actions: { readonly [action in Action]: Act } = {
  adopt: adopted,
  finish: adopted,
  settle(lifecycle, record, process) {
    if (process?.exit === undefined) return undefined;
    const ran = {
      ...record,
      generation: process.generation,
      startedAtNs: process.startedAtNs || record.startedAtNs,
      logPath: process.logPath || record.logPath,
      appArmorProfile: process.apparmorProfile,
      desired: record.generation < process.generation ? ('running' as const) : record.desired,
    };
    return settled(lifecycle, ran, process.exit);
  },
  lost: (lifecycle, record) => settled(lifecycle, record, { ...lost, timeNs: lifecycle.now() }),
  undo(lifecycle, record) {
    const status = record.startedAtNs === 0n ? 'created' : 'exited';
    lifecycle.repository.apply({ put: [{ ...record, status, pid: 0, error: 'the engine ended while it started' }] });
    return undefined;
  },
  restart: (lifecycle, record) => () => restartNow(lifecycle, record.id),
  remove: (lifecycle, record, process) => async () => {
    if (process !== undefined && isLiving(process)) await endStray(lifecycle, record.id);
    await removeAgain(lifecycle, record.id);
  },
  rest(lifecycle, record) {
    if (record.hostConfig.autoRemove && record.generation > 0) return () => removeAgain(lifecycle, record.id);
    if (record.pending?.verb === 'restart') return () => startAgain(lifecycle, record.id);
    if (record.pending?.verb === 'remove') return () => removeAgain(lifecycle, record.id);
    return wantsRestartAtBoot(record) ? () => startAgain(lifecycle, record.id) : undefined;
  },
};

/** It lives; a verb that was under way goes on. */
async function adopted(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  process: ContainerProcess | undefined,
): Promise<FollowUp | undefined> {
  const living = await adopt(lifecycle, record, process);
  const { id, pending, hostConfig } = living;
  if (pending !== undefined) return () => lifecycle.queue.run(id, () => finish(lifecycle, id));
  if (hostConfig.links.length > 0) return () => lifecycle.queue.run(id, () => refreshHosts(lifecycle, id));
  return undefined;
}

/** The record says that it lives, with what a start that was cut off could not write any more. */
async function adopt(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  process: ContainerProcess | undefined,
): Promise<ContainerRecord> {
  if (process === undefined) return record;
  const isNewer = process.generation > record.generation || record.status === 'starting';
  const living: ContainerRecord = {
    ...record,
    ...(isNewer ? await sandboxFacts(lifecycle, record.id) : {}),
    status: process.state === ProcessState.PROCESS_STATE_PAUSED ? 'paused' : 'running',
    desired: record.desired === 'removed' ? 'removed' : isNewer ? 'running' : record.desired,
    generation: process.generation,
    pid: process.pid,
    error: '',
    startedAtNs: process.startedAtNs || record.startedAtNs,
    logPath: process.logPath || record.logPath,
    appArmorProfile: process.apparmorProfile,
    bootId: lifecycle.engine.facts.host.bootId,
  };
  lifecycle.held.set(living.id, living.generation);
  const isAsRecorded =
    !isNewer && living.status === record.status && living.pid === record.pid && living.bootId === record.bootId;
  if (!isAsRecorded) lifecycle.repository.apply({ put: [living] });
  lifecycle.health.follow(living.id);
  return living;
}

async function sandboxFacts(lifecycle: Lifecycle, id: string): Promise<Partial<ContainerRecord>> {
  try {
    const { sandbox } = await insist((options) =>
      lifecycle.engine.clients.network.sandboxes.getSandbox({ id }, options),
    );
    if (sandbox === undefined) return {};
    const { resolvConfPath, hostsPath, hostnamePath } = sandbox;
    return { network: networkState(sandbox), resolvConfPath, hostsPath, hostnamePath, volumesFilled: true };
  } catch (error) {
    lifecycle.log.debug({ container: id, problem: messageOf(error) }, 'an adopted container has no sandbox of its own');
    return {};
  }
}

/** Records the exit. What it held is swept before the rest of its end is seen to. */
function settled(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  exit: { code: number; oomKilled: boolean; timeNs: bigint; unknown: boolean },
): FollowUp | undefined {
  const verb = record.pending?.verb;
  lifecycle.held.set(record.id, record.generation);
  const ended = settleExit(lifecycle, record, exit);
  if (verb === 'restart') return () => startAgain(lifecycle, record.id);
  if (verb === 'remove') return () => removeAgain(lifecycle, record.id);
  return () => afterExit(lifecycle, ended);
}

/** Goes on with the verb that the record says was under way; its process may have ended since. */
async function finish(lifecycle: Lifecycle, id: string): Promise<void> {
  const record = lifecycle.repository.get(id);
  const { pending } = record ?? {};
  if (record === undefined || pending === undefined) return;
  if (pending.verb === 'remove') return removeNow(lifecycle, record, pending.removeVolumes ?? false);
  if (pending.verb === 'update') return finishUpdate(lifecycle, record);
  if (pending.verb === 'unlink') return settleUnlink(lifecycle, record);
  const { signal, timeoutS } = pending;
  if (isAlive(record) && signal !== undefined && timeoutS !== undefined) {
    await stop(lifecycle, record, { ...pending, signal, timeoutS });
  }
  const ended = lifecycle.repository.get(id);
  if (pending.verb === 'restart' && ended !== undefined) await start(lifecycle, ended);
}

function startAgain(lifecycle: Lifecycle, id: string): Promise<void> {
  return lifecycle.queue.run(id, async () => {
    const record = lifecycle.repository.get(id);
    if (record === undefined || (record.status !== 'exited' && record.status !== 'created')) return;
    await start(lifecycle, { ...record, desired: 'running', stoppedByHand: false });
  });
}

function removeAgain(lifecycle: Lifecycle, id: string): Promise<void> {
  return lifecycle.queue.run(id, async () => {
    const record = lifecycle.repository.get(id);
    if (record === undefined) return;
    const removeVolumes = record.pending?.removeVolumes ?? record.hostConfig.autoRemove;
    await removeNow(lifecycle, record, removeVolumes);
  });
}

/** A few at a time; one that fails keeps no other up. */
async function inTurns(lifecycle: Lifecycle, followUps: FollowUp[]): Promise<void> {
  const rest = followUps.values();
  const worker = async () => {
    for (const followUp of rest) {
      try {
        await followUp();
      } catch (error) {
        lifecycle.log.warn({ problem: messageOf(error) }, 'what a restored container still had to do failed');
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function summary(all: number, counts: { [action in Action]?: number }, swept: number): string {
  const sum = (...names: Action[]) => names.reduce((total, name) => total + (counts[name] ?? 0), 0);
  const parts = [
    [sum('adopt', 'finish'), 'adopted'],
    [sum('settle', 'lost', 'undo'), 'ended meanwhile'],
    [sum('remove'), 'being removed'],
    [swept, 'leftovers swept'],
  ] as const;
  const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return [`${all} ${all === 1 ? 'container' : 'containers'}`, ...told].join(', ');
}

import type { Mounts } from '../../kit/linux/mounts.ts';
import { bootId } from '../../kit/linux/process.ts';
import type { Processes } from '../../kit/linux/spawn.ts';
import type { Logger } from '../../kit/log.ts';
import type { KeyedQueue } from '../../kit/queue.ts';
import type { Records } from '../../kit/records.ts';
import type { Sequence } from '../../kit/watch.ts';
import type { IdMaps } from '../../proto/gen/longshore/contract/v1/id_maps.ts';
import { readHierarchies } from './cgroups/hierarchies.ts';
import { openMonitorCgroup } from './cgroups/monitors.ts';
import { type ClaimedMounts, strayControllers } from './cgroups/stray-controllers.ts';
import { removeCgroup } from './cgroups/tree.ts';
import { adoptContainers } from './containers/adopt.ts';
import type { Attachments } from './containers/attachments.ts';
import type { Container } from './containers/container.ts';
import type { ContainerEvent } from './containers/events.ts';
import { type ExecDriver, openExecDriver } from './containers/exec-driver.ts';
import { watchExits } from './containers/exits.ts';
import type { ContainerRecords } from './containers/record.ts';
import { openRemains } from './containers/remains.ts';
import { adoptExecs } from './execs/adopt.ts';
import type { ExecCourse } from './execs/course.ts';
import type { ExecEvent } from './execs/events.ts';
import type { Exec } from './execs/exec.ts';
import { type Execs, forgetExecs, openExecs } from './execs/execs.ts';
import { forgetProbes, openProbes, type Probes } from './execs/probes.ts';
import type { ReadyMonitors } from './execs/ready-monitors.ts';
import type { ExecRecords } from './execs/record.ts';
import type { AppArmor } from './host/apparmor.ts';
import type { Forwarding } from './logs/forward/forwarding.ts';
import type { LogRemoval } from './logs/removal.ts';
import { openRotation } from './logs/rotation.ts';
import type { Paths } from './paths.ts';
import { openMonitorProgram } from './runtime/conmon.ts';
import { openRuntimes, type RuntimeChoice } from './runtime/runtimes.ts';
import type { SealedPrograms } from './runtime/sealed-programs.ts';
import type { EngineFacts } from './spec/facts.ts';
import type { Wish } from './spec/rlimits.ts';

/** What the coordinator decides. */
export interface Policy {
  runtimes: RuntimeChoice;
  defaultUlimits: readonly Wish[];
  idMaps: IdMaps | undefined;
  /** Of containers whose spec names none. May be shared with others, who are left alone. Absolute in every hierarchy. */
  cgroupParent: string;
  /** The engine's own, the same as `cgroupParent` or below it: what is in here is ours alone. */
  cgroupHome: string;
}

/** What lives as long as the service does, whatever the policy. */
export interface Estate {
  records: Records;
  containerRecords: ContainerRecords;
  containers: Map<string, Container>;
  events: Sequence<ContainerEvent>;
  attachments: Attachments;
  execs: Map<string, Exec>;
  execRecords: ExecRecords;
  execEvents: Sequence<ExecEvent>;
  readyMonitors: ReadyMonitors;
  course: ExecCourse;
  queue: KeyedQueue;
  forwarding: Forwarding;
  logRemoval: LogRemoval;
  paths: Paths;
  facts: EngineFacts;
  processes: Processes;
  sealed: SealedPrograms;
  mounts: Mounts;
  appArmor: AppArmor;
  execRoot: string;
  log: Logger;
}

/** The exec driver between an Init and the next, or a Drain. */
export interface Session {
  readonly driver: ExecDriver;
  readonly execs: Execs;
  readonly probes: Probes;
  /** `crun 1.8.1` */
  readonly runtime: string;
  readonly monitor: string;
  readonly warnings: readonly string[];
  readonly idMaps: IdMaps | undefined;
  /** Ends all containers but those to be kept, and takes away what is nobody's. Returns what could not be done. */
  drain(keep: ReadonlySet<string>): Promise<string[]>;
  close(): void;
}

const endingMs = 10_000;

/** `isReopened`: another session of this process comes before it. */
export async function openSession(estate: Estate, policy: Policy, isReopened: boolean): Promise<Session> {
  const { records, containers, queue, paths, processes, log } = estate;
  const { cgroupParent, cgroupHome } = policy;
  const runtimes = await openRuntimes(policy.runtimes, estate);
  const monitor = await openMonitorProgram(processes);
  const claimed = claimedMounts(records);
  // Before the hierarchies are looked at: it adds some.
  const stray = strayControllers(readHierarchies(), estate.mounts, claimed);
  const warnings = stray.claim();
  for (const warning of warnings) log.warn(warning);
  const hierarchies = readHierarchies();
  const monitorCgroup = openMonitorCgroup(hierarchies, `${cgroupHome}/conmon`);
  const remains = openRemains({ paths, hierarchies, runtimes, mounts: estate.mounts, cgroupHome });
  const clearEnded = (container: Container) => {
    const { id, generation } = container.record;
    const work = queue.run(id, async () => {
      // Unless it has been removed, or started again, before its turn came.
      if (containers.get(id) !== container || container.record.generation !== generation) return;
      // They are no part of it, and nothing waits for them.
      void estate.readyMonitors.drop(id);
      await remains.clear({ id, ...container.record.terms });
      container.isCleared = true;
    });
    work.catch((error: unknown) =>
      log.warn({ err: error, container: id }, 'cannot clear what an ended container has left'),
    );
  };
  const exits = watchExits({ ...estate, hierarchies, remains, onEnded: clearEnded });
  const close = () => {
    exits.close();
    monitorCgroup.close();
  };
  const parts = {
    ...estate,
    exits,
    remains,
    runtimes,
    monitor,
    monitorCgroup,
    stray,
    hierarchies,
    bootId: bootId(),
    cgroupParent,
    cgroupHome,
    defaultUlimits: policy.defaultUlimits,
    idMaps: policy.idMaps,
    onForgotten: (id: string) => {
      forgetExecs(estate, id);
      forgetProbes(paths, id);
    },
  };
  const driver = openExecDriver(parts);
  await adoptContainers(parts).catch((error: unknown) => {
    close();
    throw error;
  });
  // Those of an earlier session in this life are followed already.
  if (!isReopened) adoptExecs(parts);
  const probes = openProbes(parts, isReopened);
  for (const container of containers.values()) estate.forwarding.follow(container);
  const rotation = openRotation(containers, paths, log);

  /** All that was queued before. */
  const settled = () => Promise.all([...containers.keys()].map((id) => queue.run(id, () => {})));

  const endOne = async (container: Container): Promise<string[]> => {
    const { id } = container.record;
    await driver.signal(id, 9, true);
    const timeout = AbortSignal.timeout(endingMs);
    try {
      await driver.wait(id, 0, timeout);
      return [];
    } catch {
      return [`container ${id} does not end`];
    }
  };

  return {
    driver,
    execs: openExecs(parts),
    probes,
    runtime: runtimes.default.version,
    monitor: monitor.version,
    warnings,
    idMaps: policy.idMaps,
    async drain(keep) {
      probes.close();
      await estate.readyMonitors.drop();
      // A start that was let in before may still be under way.
      await settled();
      const toEnd = [...containers.values()].filter(({ isLiving, record }) => isLiving && !keep.has(record.id));
      const problems = (await Promise.all(toEnd.map(endOne))).flat();
      for (const leftover of remains.unrecorded((id) => containers.has(id))) {
        await remains
          .clear(leftover)
          .catch((error: unknown) => problems.push(`container ${leftover.id}: ${String(error)}`));
      }
      // What is being cleared of those that ended.
      await settled();
      if ([...containers.values()].some((container) => container.isLiving)) return problems;
      // Looked at anew: a hierarchy may have been added since.
      await removeCgroup(readHierarchies(), cgroupHome).catch((error: unknown) => problems.push(String(error)));
      return [...problems, ...stray.release()];
    },
    close() {
      probes.close();
      rotation.close();
      close();
    },
  };
}

function claimedMounts(records: Records): ClaimedMounts {
  return {
    add: (target) => void records.prepare('INSERT OR IGNORE INTO claimed_mount (target) VALUES (?)').run(target),
    list: () =>
      records
        .prepare('SELECT target FROM claimed_mount')
        .all()
        .map((row) => String(row.target)),
    remove: (target) => void records.prepare('DELETE FROM claimed_mount WHERE target = ?').run(target),
  };
}

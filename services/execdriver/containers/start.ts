import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { nowNs } from '../../../kit/clock.ts';
import { isServiceError } from '../../../kit/errors.ts';
import { rootOf } from '../../../kit/id-maps.ts';
import { asFileOwner } from '../../../kit/linux/credentials.ts';
import type { Mounts } from '../../../kit/linux/mounts.ts';
import { startTimeOf } from '../../../kit/linux/process.ts';
import type { Logger } from '../../../kit/log.ts';
import type { Records } from '../../../kit/records.ts';
import type { Sequence } from '../../../kit/watch.ts';
import type { IdMaps } from '../../../proto/gen/longshore/contract/v1/id_maps.ts';
import type { ContainerSpec } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { withoutWeights, writeBfqWeights } from '../cgroups/bfq-weights.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import type { MonitorCgroup } from '../cgroups/monitors.ts';
import { reserveRealtime } from '../cgroups/realtime.ts';
import type { StrayControllers } from '../cgroups/stray-controllers.ts';
import { type AppArmor, profileFor } from '../host/apparmor.ts';
import type { Paths } from '../paths.ts';
import type { MonitorProgram } from '../runtime/conmon.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Runtimes } from '../runtime/runtimes.ts';
import { ensureBindSources } from '../spec/bind-sources.ts';
import { encodeSpec, ociSpecOf } from '../spec/container.ts';
import type { EngineFacts } from '../spec/facts.ts';
import { findInitBinary } from '../spec/init-binary.ts';
import type { OciSpec } from '../spec/oci.ts';
import type { Wish } from '../spec/rlimits.ts';
import { ensureWorkingDirectory, readUserFiles } from '../spec/root-files.ts';
import type { Attachments } from './attachments.ts';
import { Container, monitorEndsMs } from './container.ts';
import type { ContainerEvent } from './events.ts';
import type { Exits } from './exits.ts';
import { killTree } from './kill-tree.ts';
import { processExit } from './process-exit.ts';
import type { ContainerRecord, ContainerRecords, Terms } from './record.ts';
import type { Remains } from './remains.ts';
import { makeSharedMemory, sharedMemoryOf } from './shared-memory.ts';
import { startError } from './start-error.ts';
import { termsOf } from './terms.ts';

export interface StartParts {
  containers: Map<string, Container>;
  records: Records;
  containerRecords: ContainerRecords;
  events: Sequence<ContainerEvent>;
  attachments: Attachments;
  exits: Exits;
  remains: Remains;
  runtimes: Runtimes;
  monitor: MonitorProgram;
  monitorCgroup: MonitorCgroup;
  stray: StrayControllers;
  facts: EngineFacts;
  paths: Paths;
  mounts: Mounts;
  hierarchies: Hierarchies;
  appArmor: AppArmor;
  bootId: string;
  cgroupParent: string;
  defaultUlimits: readonly Wish[];
  idMaps: IdMaps | undefined;
  log: Logger;
  /** Called when a container's generation is nothing any more but a memory of its caller's. */
  onForgotten: (id: string) => void;
}

export interface StartRequest {
  id: string;
  generation: number;
  spec: ContainerSpec;
}

/** Writes what happened and `settle`'s records durably, together. */
export type Settle = (record: ContainerRecord, settle: () => void) => void;

/**
 * Starts a container: record, effects, settled record. Whatever fails, and wherever we die, either nothing is left or the next
 * life finds the record and finishes or undoes it (adopt.ts).
 */
export async function startContainer(parts: StartParts, request: StartRequest, settle: Settle): Promise<void> {
  const { id, spec } = request;
  try {
    await start(parts, request, settle);
  } catch (error) {
    const failure = isServiceError(error, 'RUNTIME_FAILED')
      ? startError('create', error.metadata.detail ?? '', spec.args[0] ?? '', error)
      : error;
    // Who waits for the start need not wait any more.
    if (isServiceError(failure)) parts.attachments.failWaiting(id, failure);
    throw failure;
  }
}

async function start(parts: StartParts, request: StartRequest, settle: Settle): Promise<void> {
  const { id, spec } = request;
  const runtime = await parts.runtimes.get(spec.runtime);
  const terms = termsOf(id, spec, runtime.name, parts.cgroupParent, sharedMemoryOf(parts, id, spec));
  const oci = await translate(parts, spec, terms);
  const size = spec.tty ? parts.attachments.sizeOf(id) : undefined;
  if (size) oci.process.consoleSize = { height: size.rows, width: size.columns };
  await clearPrevious(parts, id);

  const container = new Container(startingRecord(request, terms, oci, parts.bootId));
  parts.containerRecords.save(container.record);
  parts.containers.set(id, container);
  try {
    for (const warning of parts.stray.claim()) parts.log.warn(warning);
    const { initPid, monitorPid } = await create(parts, container, runtime, oci, spec);
    parts.attachments.joinWaiting(container);
    await runtime.start(id);
    const running: ContainerRecord = {
      ...container.record,
      state: 'running',
      init: { pid: initPid, startTime: startTimeOf(initPid) ?? '' },
      monitor: { pid: monitorPid, startTime: startTimeOf(monitorPid) ?? '' },
      startedNs: nowNs(),
    };
    settle(running, () => {
      parts.containerRecords.save(running);
      parts.events.append({ kind: 'started', record: running, timeNs: running.startedNs });
    });
    container.record = running;
  } catch (error) {
    await undo(parts, container);
    throw error;
  }
  parts.exits.follow(container);
  // It may have ended before its record said that it ran.
  parts.exits.settle(container);
}

/** What is left of the generation before. Its monitor takes its attach socket away as the last thing it does: not ours. */
async function clearPrevious(parts: StartParts, id: string): Promise<void> {
  const previous = parts.containers.get(id);
  if (previous === undefined) return;
  const { monitor, terms, bootId } = previous.record;
  if (monitor && bootId === parts.bootId) {
    const { ended, stop } = processExit(monitor);
    await Promise.race([ended, delay(monitorEndsMs, undefined, { ref: false })]);
    stop();
  }
  if (!previous.isCleared) await parts.remains.clear({ id, ...terms });
  parts.onForgotten(id);
}

function startingRecord(
  { id, generation }: StartRequest,
  terms: Terms,
  { process }: OciSpec,
  bootId: string,
): ContainerRecord {
  const none = { init: undefined, monitor: undefined, exit: undefined, oomKills: 0 };
  const appArmorProfile = process.apparmorProfile ?? '';
  return { id, generation, state: 'starting', bootId, terms, appArmorProfile, startedNs: 0n, ...none };
}

const unconfinedBy = { apparmor: '', privileged: false };

async function translate(parts: StartParts, spec: ContainerSpec, terms: Terms): Promise<OciSpec> {
  const { containers, facts, defaultUlimits } = parts;
  const usesInit = spec.init && !terms.sharesPids;
  const oci = await ociSpecOf(spec, {
    facts,
    cgroupPath: terms.cgroup,
    defaultUlimits,
    users: readUserFiles(spec.rootPath),
    initBinary: usesInit ? await findInitBinary() : undefined,
    findInit: (id) => containers.get(id)?.pid,
    shm: terms.shm ?? '',
    idMaps: parts.idMaps,
    appArmorProfile: facts.appArmor ? await profileFor(parts.appArmor, spec.confinement ?? unconfinedBy) : undefined,
  });
  await ensureBindSources(spec.mounts);
  const root = rootOf(spec.userNamespacePath === '' ? undefined : parts.idMaps);
  asFileOwner(root, () => ensureWorkingDirectory(spec.rootPath, oci.process.cwd));
  return oci;
}

async function create(parts: StartParts, container: Container, runtime: Runtime, oci: OciSpec, spec: ContainerSpec) {
  const { paths } = parts;
  const { id, terms } = container.record;
  const bundle = paths.bundleOf(id);
  // Root of containers passes through to what is shared with it; the rest is readable by root alone.
  const passage = spec.userNamespacePath === '' ? 0o700 : 0o711;
  mkdirSync(bundle, { recursive: true, mode: passage });
  if (passage !== 0o700) chmodSync(paths.bundles, passage);
  if (terms.logDriver !== 'none') mkdirSync(paths.logDirectoryOf(id), { recursive: true, mode: 0o700 });
  const { cpuRealtimeRuntime: realtime = 0, cpuRealtimePeriod = 0 } = spec.resources ?? {};
  if (realtime > 0 && spec.cgroupParent === '') {
    reserveRealtime(parts.hierarchies, parts.cgroupParent, { runtime: realtime, period: cpuRealtimePeriod });
  }
  if (spec.ipcMode === 'shareable') makeSharedMemory(parts, id, spec.shmSize);
  const { blockIO } = oci.linux.resources;
  const byBfq = parts.facts.weighsByBfq ? blockIO : undefined;
  const prepared = runtime.prepare(byBfq === undefined ? oci : withoutWeights(oci));
  writeFileSync(join(bundle, 'config.json'), encodeSpec(prepared), { mode: 0o600 });

  const monitor = parts.monitor.start({
    id,
    containerName: terms.containerName,
    bundle,
    runtime,
    exitDirectory: paths.exits,
    logPath: terms.logDriver === 'none' ? undefined : paths.logFileOf(id),
    tty: terms.tty,
    stdin: terms.openStdin,
    closesStdin: terms.stdinOnce && !terms.tty,
  });
  void parts.monitorCgroup.add(monitor.pid).then((problems) => {
    for (const problem of problems) parts.log.warn(problem);
  });
  // The runtime may wait for a file system that does not answer.
  container.abandon = () => killTree(monitor.pid);
  const initPid = await monitor.created.finally(() => {
    container.abandon = undefined;
  });
  if (byBfq !== undefined) writeBfqWeights(parts.hierarchies, terms.cgroup, byBfq);
  runtime.created(id, prepared);
  return { initPid, monitorPid: monitor.pid };
}

/** Nothing is left of a start that failed. */
async function undo(parts: StartParts, container: Container): Promise<void> {
  const { id, terms } = container.record;
  container.disconnect();
  try {
    await parts.remains.clear({ id, ...terms });
  } catch (error) {
    parts.log.error(
      { err: error, container: id },
      'cannot clear what a failed start has left; the next start of this service will',
    );
    return;
  }
  parts.containerRecords.remove(id);
  parts.containers.delete(id);
}

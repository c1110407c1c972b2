import { mkdirSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { startTimeOf } from '../../../kit/linux/process.ts';
import type { Processes } from '../../../kit/linux/spawn.ts';
import type { ExecSpec } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import type { Container } from '../containers/container.ts';
import { errors } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { removeTree } from '../removal.ts';
import { type ExecOutput, processFileOf, runExec } from '../runtime/run-exec.ts';
import type { Runtimes } from '../runtime/runtimes.ts';
import { encodeSpec } from '../spec/container.ts';
import type { EngineFacts } from '../spec/facts.ts';
import { execFailure, furtherProcess, servingContainer } from './further-process.ts';
import { ageOfChild, endSession, sweepProbes } from './probe-session.ts';

/** Health checks: commands that are run often, keep nothing on disk that matters, and do not outlive us. */
export interface Probes {
  /** Runs one to its end; `code` is undefined when it has reached its timeout. Throws what RunProbe does. */
  run(request: ProbeRequest, signal: AbortSignal): Promise<ProbeOutcome>;
  /** Ends those that run, and lets no more in. */
  close(): void;
}

export interface ProbeRequest {
  containerId: string;
  spec: ExecSpec;
  timeoutMs: number;
  outputLimit: number;
}

export type ProbeOutcome = Omit<ExecOutput, 'code'> & { code: number | undefined };

export interface ProbeParts {
  containers: ReadonlyMap<string, Container>;
  processes: Processes;
  runtimes: Runtimes;
  hierarchies: Hierarchies;
  facts: EngineFacts;
  paths: Paths;
}

/** How long the runtime may take before the process has begun. */
const startPatienceMs = 30_000;
/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1;

/** `isReopened`: another session of this process comes before it, whose probes are not strays. */
export function openProbes(parts: ProbeParts, isReopened: boolean): Probes {
  const { containers, hierarchies, paths } = parts;
  const running = new Set<() => void>();
  let isClosed = false;
  /** What `process.json` of a container was made from. */
  const prepared = new WeakMap<Container, ExecSpec>();
  if (!isReopened) sweepProbes(hierarchies, containers, paths);

  /** The same command again and again: written once. */
  const prepare = (container: Container, spec: ExecSpec): string => {
    const directory = paths.probesOf(container.record.id);
    if (isDeepStrictEqual(prepared.get(container), spec)) return directory;
    const process = furtherProcess(parts, container, spec);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(processFileOf(directory), encodeSpec(process), { mode: 0o600 });
    prepared.set(container, spec);
    return directory;
  };

  return {
    async run({ containerId, spec: wanted, timeoutMs, outputLimit }, signal) {
      if (!(timeoutMs > 0)) throw errors.badSpec({ field: 'timeout_ns', detail: 'a probe needs a timeout' });
      const runtime = await parts.runtimes.get(servingContainer(containers, containerId).record.terms.runtime);
      const container = servingContainer(containers, containerId);
      const spec = { ...wanted, tty: false, openStdin: false };
      const directory = prepare(container, spec);
      if (isClosed) throw errors.notInitialised();
      signal.throwIfAborted();
      const { cgroup } = container.record.terms;
      const exec = runExec(parts.processes, { runtime, containerId, directory, limit: outputLimit });
      const runtimeProcess = { pid: exec.runtimePid, startTime: startTimeOf(exec.runtimePid) ?? '' };
      let isOver = false;
      let isLate = false;
      const end = () => {
        if (!isOver) endSession(hierarchies, cgroup, runtimeProcess);
      };
      const begunMs = performance.now();
      const look = () => {
        const ageMs = ageOfChild(hierarchies, cgroup, exec.runtimePid);
        const leftMs = ageMs === undefined ? startPatienceMs - (performance.now() - begunMs) : timeoutMs - ageMs;
        if (leftMs > 0) {
          timer = setTimeout(look, Math.min(leftMs, timeoutMs, longestTimerMs));
          return;
        }
        isLate = true;
        end();
      };
      let timer = setTimeout(look, Math.min(timeoutMs, longestTimerMs));
      running.add(end);
      signal.addEventListener('abort', end, { once: true });
      try {
        const { code, ...output } = await exec.ended;
        return { ...output, code: isLate ? undefined : code };
      } catch (error) {
        if (isLate) return { code: undefined, output: Buffer.alloc(0), isCut: false };
        throw execFailure(error, container, spec);
      } finally {
        isOver = true;
        clearTimeout(timer);
        running.delete(end);
        signal.removeEventListener('abort', end);
      }
    },
    close() {
      isClosed = true;
      for (const end of running) end();
    },
  };
}

/** What a container's probes have left, once it is removed or started again. */
export function forgetProbes(paths: Paths, containerId: string): void {
  removeTree(paths.probesOf(containerId));
}

import { cpus, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { Resources } from '../../proto/gen/longshore/execdriver/v1/spec.ts';
import {
  type Process,
  UpdateResourcesRequest,
  UpdateResourcesResponse,
  Usage,
  type UsageServiceImplementation,
} from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import { nowNs } from '../events.ts';
import type { Life } from '../fake.ts';
import { repeatable } from '../repeatable.ts';
import type { ContainerMemory, ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import type { ExecStore } from './execs.ts';
import type { Run } from './run.ts';

const intervalMs = 1000;

/** Figures that a reader can work with; nothing is measured. */
export function usageService(
  { records }: Life<ContainerMemory>,
  store: ContainerStore,
  execs: ExecStore,
  needInit: () => unknown,
): UsageServiceImplementation {
  const living = (id: string): Run => {
    needInit();
    store.process(id);
    const run = store.living(id);
    if (run === undefined) throw errors.notRunning({ id });
    return run;
  };
  const processesOf = (id: string): Process[] => {
    const { pid, startedAtNs } = store.process(id);
    const init = processOf(pid, 1, startedAtNs, living(id).spec.args);
    const others = execs
      .of(id)
      .filter(({ exec }) => exec.pid > 0)
      .map(({ exec }) => processOf(exec.pid, pid, startedAtNs, exec.spec?.args ?? []));
    return [init, ...others];
  };

  return {
    async *watchUsage({ id, once }, { signal }) {
      const run = living(id);
      yield { usage: sample(run, processesOf(id).length) };
      while (!once) {
        await Promise.race([run.ended, delay(intervalMs, undefined, { signal, ref: false })]);
        if (run.ending !== undefined) return;
        yield { usage: sample(run, processesOf(id).length) };
      }
    },
    async listProcesses({ id, psOptions }) {
      const processes = processesOf(id);
      if (psOptions.length === 0) return { processes, titles: [], rows: [] };
      if (psOptions.some((option) => option.startsWith('--')))
        throw errors.badPsOptions({ detail: 'ps: unknown option' });
      const rows = processes.map(({ pid, command }) => ({ cells: [`${pid}`, command] }));
      return { processes: [], titles: ['PID', 'COMMAND'], rows };
    },
    updateResources: repeatable(records, UpdateResourcesRequest, UpdateResourcesResponse, ({ id, resources }) => {
      const { spec } = living(id);
      spec.resources = changed(spec.resources, resources);
      return { outcome: Outcome.OUTCOME_DONE };
    }),
  };
}

function processOf(pid: number, parentPid: number, startedAtNs: bigint, args: readonly string[]): Process {
  const command = args.join(' ');
  const nothing = { cpuNs: 0n, cpuPercent: 0, resident: 1024 * 1024, virtual: 4 * 1024 * 1024 };
  return { pid, parentPid, uid: 0, user: 'root', terminal: '?', startedAtNs, command, state: 'S', ...nothing };
}

function sample({ spec }: Run, pids: number): Usage {
  const timeNs = nowNs();
  return Usage.fromPartial({
    timeNs,
    cpuTotalNs: 1_000_000n,
    cpuUserNs: 600_000n,
    cpuSystemNs: 400_000n,
    hostCpuNs: timeNs / 1000n,
    cpus: cpus().length,
    memory: pids * 1024 * 1024,
    memoryPeak: pids * 1024 * 1024,
    memoryLimit: spec.resources?.memory || totalmem(),
    pids,
    pidsLimit: Math.max(spec.resources?.pidsLimit ?? 0, 0),
    interfaces: [{ name: 'eth0' }],
  });
}

/** Fields that are 0 or empty stay as they are. */
function changed(before: Resources | undefined, wanted: Resources | undefined): Resources {
  const given = Object.entries(wanted ?? {}).filter(([, value]) => value !== 0 && value !== '' && value !== undefined);
  return { ...(before ?? Resources.fromPartial({})), ...Object.fromEntries(given) };
}

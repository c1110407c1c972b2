import { setTimeout as delay } from 'node:timers/promises';
import { idempotent } from '../../kit/outcomes.ts';
import type { Records } from '../../kit/records.ts';
import { currentCall } from '../../kit/rpc/call.ts';
import {
  UpdateResourcesRequest,
  UpdateResourcesResponse,
  type UsageServiceImplementation,
} from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import { readHierarchies } from './cgroups/hierarchies.ts';
import { processesOf } from './cgroups/tree.ts';
import type { Container } from './containers/container.ts';
import type { ExecDriver } from './containers/exec-driver.ts';
import { errors } from './errors.ts';
import type { ReadyMonitors } from './execs/ready-monitors.ts';
import { outcomeMessage } from './messages.ts';
import type { EngineFacts } from './spec/facts.ts';
import { listProcesses } from './usage/processes.ts';
import { psTable } from './usage/ps.ts';
import { sampleUsage } from './usage/sample.ts';
import { updateResources } from './usage/update.ts';

const intervalMs = 1000;

export function usageService(parts: {
  records: Records;
  driver: () => ExecDriver;
  facts: EngineFacts;
  readyMonitors: ReadyMonitors;
}): UsageServiceImplementation {
  const { records, driver, facts, readyMonitors } = parts;
  const living = (id: string): Container => {
    const container = driver().get(id);
    if (!container.isLiving) throw errors.notRunning({ id });
    return container;
  };

  return {
    async *watchUsage({ id, once }, { signal }) {
      const container = living(id);
      const hierarchies = readHierarchies();
      const ended = container.ended.then(() => true);
      for (let isOver = false; !isOver && container.pid !== undefined; ) {
        const usage = sampleUsage(hierarchies, container.record.terms.cgroup, container.pid);
        yield { usage: { ...usage, pids: Math.max(0, usage.pids - readyMonitors.insiders(id).length) } };
        isOver = once || (await Promise.race([ended, delay(intervalMs, false, { signal, ref: false })]));
      }
    },

    async listProcesses({ id, psOptions }) {
      const { cgroup } = living(id).record.terms;
      const hierarchies = readHierarchies();
      const insiders = readyMonitors.insiders(id);
      const pids = processesOf(hierarchies, cgroup).filter((pid) => !insiders.includes(pid));
      if (psOptions.length === 0) return { processes: listProcesses(pids), titles: [], rows: [] };
      return { processes: [], ...(await psTable(psOptions, pids)) };
    },

    updateResources: (request) =>
      idempotent(
        {
          records,
          call: currentCall(),
          survives: 'kill',
          request: UpdateResourcesRequest.encode(request).finish(),
          encode: (answer) => UpdateResourcesResponse.encode(answer).finish(),
          decode: (bytes) => UpdateResourcesResponse.decode(bytes),
        },
        () => {
          const { id, resources } = request;
          if (resources === undefined) throw errors.badSpec({ field: 'resources', detail: 'nothing to update' });
          const { cgroup } = living(id).record.terms;
          // New limits are the container's alone.
          void readyMonitors.drop(id);
          updateResources(readHierarchies(), cgroup, resources, facts);
          return { outcome: outcomeMessage('done') };
        },
      ),
  };
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Path } from '../bench.ts';
import { create, removeAll, start } from '../client/container.ts';
import type { Contestant } from '../contestants/contestant.ts';
import { processesOf } from '../host/processes.ts';
import { processorTime } from '../host/processor-time.ts';
import { rounds } from '../rounds.ts';

const intervalSeconds = 5;

/** What it costs to look after the health of many containers. Podman's checks are systemd's timers, which are not here. */
export const health: Path = {
  name: 'health',
  about: `processor time for the health checks of 100 containers, each ${intervalSeconds} s`,
  async measure(bench) {
    const contestants = bench.contestants.filter(({ name }) => name !== 'podman');
    const plan = { what: 'health checks', rounds: 1, quickRounds: 1, warmUps: 0, budgetMs: 180_000 };
    const measured = await rounds(bench, contestants, plan, (contestant) => probed(bench, contestant));
    return [
      {
        id: 'health-cpu',
        title: `processor time in a second, ${containersOf(bench)} containers probed every ${intervalSeconds} s`,
        unit: 'ms',
        ...measured,
        goals: [{ statistic: 'median', atMost: 0.3, times: 'dockerd' }],
      },
    ];
  },
};

const containersOf = ({ isQuick }: Bench) => (isQuick ? 20 : 100);

/** The engine's own processes with their monitors and what they run, in ms of processor time for each second. */
async function probed(bench: Bench, { api, folder, title }: Contestant): Promise<number> {
  const seconds = bench.isQuick ? 10 : 30;
  const used = () => processorTime(processesOf(folder));
  try {
    for (let count = 1; count <= containersOf(bench); count++) {
      bench.say(`health checks: ${title} starts container ${count}`);
      const spec = { command: ['sleep', '600'], network: 'none', probedEach: intervalSeconds } as const;
      await start(api, await create(api, spec));
    }
    bench.say(`health checks: ${title} probes`);
    // Until the last one is probed too.
    await delay(2 * intervalSeconds * 1000, undefined, { signal: bench.signal });
    await assertHealthy(api, containersOf(bench));
    const [before, begun] = [used(), performance.now()];
    await delay(seconds * 1000, undefined, { signal: bench.signal });
    return ((used() - before) * 1000) / (performance.now() - begun);
  } finally {
    await removeAll(api);
  }
}

async function assertHealthy(api: Contestant['api'], count: number): Promise<void> {
  const query = encodeURIComponent(JSON.stringify({ health: ['healthy'] }));
  const healthy: unknown[] = JSON.parse((await api.call('GET', `/containers/json?filters=${query}`)).toString());
  if (healthy.length !== count) throw new Error(`${healthy.length} of ${count} containers are healthy`);
}

import { dirname, join } from 'node:path';
import type { Bench, Path } from '../bench.ts';
import { timeCommand } from '../client/command.ts';
import { create, removeAll, start } from '../client/container.ts';
import type { Contestant } from '../contestants/contestant.ts';
import { findProgram } from '../host/programs.ts';
import { quiet, rounds } from '../rounds.ts';
import { summarize } from '../statistics.ts';

/** A command in a container that runs, from its creation to its exit code; beside what the bare runtime needs. */
export const exec: Path = {
  name: 'exec',
  about: 'exec true by the API, attached; and the bare crun exec',
  async measure(bench) {
    const ids = new Map<Contestant, string>();
    const bare: number[] = [];
    const plan = { what: 'exec true', rounds: 40, warmUps: 3, budgetMs: 60_000 };
    try {
      const { samples, notes } = await rounds(bench, bench.contestants, plan, async (contestant) => {
        const id = ids.get(contestant) ?? (await startSleeper(contestant));
        ids.set(contestant, id);
        if (contestant.name === 'longshore') {
          bare.push(...(await bareExec(contestant, id)));
          await quiet(bench);
        }
        return await timeExec(contestant, id);
      });
      return [
        {
          id: 'exec-true',
          title: 'API exec `true`, attached, until its exit code',
          unit: 'ms',
          samples,
          notes: [...notes, ...bareNote(bare)],
          goals: [{ statistic: 'median', atMost: 0.3, times: 'dockerd' }],
        },
      ];
    } finally {
      await leave(bench);
    }
  },
};

async function startSleeper({ api }: Contestant): Promise<string> {
  const id = await create(api, { command: ['sleep', '600'], network: 'none' });
  await start(api, id);
  return id;
}

async function timeExec({ api }: Contestant, container: string): Promise<number> {
  const begun = performance.now();
  const wanted = { Cmd: ['true'], AttachStdout: true, AttachStderr: true };
  const { Id } = JSON.parse((await api.call('POST', `/containers/${container}/exec`, wanted)).toString());
  await api.call('POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
  const { Running, ExitCode } = JSON.parse((await api.call('GET', `/exec/${Id}/json`)).toString());
  if (Running || ExitCode !== 0) throw new Error(`exec true: running ${Running}, exit code ${ExitCode}`);
  return performance.now() - begun;
}

/** In the same container, by the runtime alone. */
async function bareExec({ socket }: Contestant, container: string): Promise<number[]> {
  const file = findProgram('crun');
  if (file === undefined) return [];
  const root = join(dirname(socket), 'crun');
  return [await timeCommand({ file, environment: {} }, ['--root', root, 'exec', container, 'true'])];
}

function bareNote(bare: readonly number[]): string[] {
  if (bare.length === 0) return [];
  const { median, min, max, count } = summarize(bare);
  const [middle, least, most] = [median, min, max].map((value) => value.toFixed(1));
  return [`bare \`crun exec\` in Longshore's container: ${middle} ms (${least}–${most}, n = ${count})`];
}

async function leave({ contestants }: Bench): Promise<void> {
  for (const { api } of contestants) await removeAll(api).catch(() => {});
}

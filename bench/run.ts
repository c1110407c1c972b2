import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { timeCommand } from './client/command.ts';
import type { Contestant } from './contestants/contestant.ts';
import { placeDockerd } from './contestants/dockerd.ts';
import { placeLongshore } from './contestants/longshore.ts';
import { placePodman } from './contestants/podman.ts';
import type { Figure } from './figure.ts';
import { describeHost } from './host/describe.ts';
import { freeMemory, packMemory } from './host/even-ground.ts';
import { furnishRoom } from './host/room.ts';
import { busyboxArchive } from './images/archive.ts';
import type { Options } from './options.ts';
import { paths } from './paths/paths.ts';
import type { Report } from './report/report.ts';

const packages = { dockerd: 'docker.io', podman: 'podman netavark' };

/** Places the engines, runs the paths, and takes everything away again, whatever happens. */
export async function run(options: Options, say: (what: string) => void, signal: AbortSignal): Promise<Report> {
  await using leaving = new AsyncDisposableStack();
  leaving.defer(furnishRoom());
  const scratch = mkdtempSync(join(tmpdir(), 'lsb-'));
  leaving.defer(() => rmSync(scratch, { recursive: true, force: true }));

  const place = async (placed: Promise<Contestant> | Contestant | undefined) => {
    const contestant = await placed;
    if (contestant) leaving.defer(() => contestant.dispose());
    return contestant;
  };
  const takesPart = (name: Contestant['name']) => options.engines.some((engine) => engine === name);
  const longshore = takesPart('longshore') ? await place(placeLongshore('longshore')) : undefined;
  const embedded = takesPart('longshore') ? await place(placeLongshore('embedded')) : undefined;
  const dockerd = takesPart('dockerd') ? await place(placeDockerd()) : undefined;
  const podman = takesPart('podman') ? await place(placePodman()) : undefined;
  for (const [name, peer] of Object.entries({ dockerd, podman })) {
    if (peer === undefined) sayMissing(name as keyof typeof packages, options);
  }

  const contestants = [longshore, dockerd, podman].filter((contestant) => contestant !== undefined);
  const bench: Bench = { contestants, embedded, scratch, isQuick: options.isQuick, say, signal };
  const figures = await Promise.race([measure(bench, options), aborted(signal)]);
  return {
    date: new Date().toISOString(),
    host: await describeHost(),
    contestants: Object.fromEntries(contestants.map(({ name, title }) => [name, title])),
    figures,
  };
}

async function measure(bench: Bench, { only }: Options): Promise<Figure[]> {
  freeMemory();
  const image = join(bench.scratch, 'busybox.tar');
  writeFileSync(image, busyboxArchive());
  for (const contestant of [bench.embedded, ...bench.contestants]) {
    if (contestant === undefined) continue;
    bench.say(`starting ${contestant.title}`);
    await contestant.start();
    await timeCommand(contestant.command, ['load', '-i', image]);
  }
  await bench.embedded?.stop();

  const figures: Figure[] = [];
  for (const path of paths) {
    if (only.length > 0 && !only.includes(path.name)) continue;
    packMemory();
    figures.push(...(await path.measure(bench)));
  }
  return figures;
}

/** Rejects when the run is to end now; the engines are taken down without waiting for what is under way. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function sayMissing(name: keyof typeof packages, { engines }: Options): void {
  if (!engines.includes(name)) return;
  const install = `apt-get install --no-install-recommends ${packages[name]}`;
  process.stderr.write(`${name} is not installed here and is left out; to compare with it: ${install}\n`);
}

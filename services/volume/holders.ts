import type { VolumeRecords } from './volume-records.ts';
import type { Volumes } from './volumes.ts';

/** Verbs that a holder's end brings to all its volumes, and the coordinator's view of who holds what. */

interface HoldersContext {
  volumes: Volumes;
  volumeRecords: VolumeRecords;
}

/** All that the holder has, or the one named. */
function volumesOf({ volumeRecords }: HoldersContext, holder: string, name: string): string[] {
  return name === '' ? volumeRecords.holdingsOf(holder).map((holding) => holding.volume) : [name];
}

/** Undefined when the holder had none. Goes on after an error and throws the first one. */
export async function releaseFrom(
  context: HoldersContext,
  holder: string,
  name: string,
  removeAnonymous: boolean,
): Promise<string[] | undefined> {
  let removed: string[] | undefined;
  await forEachVolume(volumesOf(context, holder, name), async (volume) => {
    const released = await context.volumes.release(volume, holder, removeAnonymous);
    if (released === undefined) return;
    removed ??= [];
    if (released.isRemoved) removed.push(volume);
  });
  return removed;
}

/** False when the holder ran with none. */
export async function unmountFrom(context: HoldersContext, holder: string, name: string): Promise<boolean> {
  let isDone = false;
  await forEachVolume(volumesOf(context, holder, name), async (volume) => {
    if (await context.volumes.unmount(volume, holder)) isDone = true;
  });
  return isDone;
}

export interface WantedHolding {
  holder: string;
  name: string;
  mounted: boolean;
}

/** Makes the set of holders exactly this one. Returns what was released, as `<holder>/<volume>`. */
export async function reconcileHolders(context: HoldersContext, wanted: readonly WantedHolding[]): Promise<string[]> {
  const keyOf = (holder: string, name: string) => `${holder}/${name}`;
  const keys = new Set(wanted.map(({ holder, name }) => keyOf(holder, name)));
  const surplus = context.volumeRecords.allHoldings().filter(({ holder, volume }) => !keys.has(keyOf(holder, volume)));
  const released: string[] = [];
  await forEachVolume(surplus, async ({ holder, volume }) => {
    await context.volumes.release(volume, holder, false);
    released.push(keyOf(holder, volume));
  });
  await forEachVolume(wanted, ({ holder, name, mounted }) => context.volumes.settleHolding(name, holder, mounted));
  return released;
}

async function forEachVolume<T>(all: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
  const problems: unknown[] = [];
  for (const each of all) await work(each).catch((error: unknown) => problems.push(error));
  if (problems.length > 0) throw problems[0];
}

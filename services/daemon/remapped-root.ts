import { execFileSync } from 'node:child_process';
import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '../../kit/errors.ts';
import { type Owner, rootOf } from '../../kit/id-maps.ts';
import type { IdMaps } from '../../proto/gen/longshore/contract/v1/id_maps.ts';
import type { Config } from './config.ts';
import { errors } from './config-errors.ts';
import { defaultUser, remappingOf } from './subordinate-ids.ts';

/**
 * With `--userns-remap` the engine's data are in a directory of the mapping's own, `<data-root>/<uid>.<gid>`: an engine with
 * another mapping, or with none, has others.
 */
export function remapped(config: Config): Config {
  const { usernsRemap } = config;
  if (usernsRemap === '') return config;
  if (usernsRemap === 'default') makeDefaultUser();
  const remapping = remappingOf(usernsRemap, {
    passwd: read('/etc/passwd'),
    group: read('/etc/group'),
    subuid: read('/etc/subuid'),
    subgid: read('/etc/subgid'),
  });
  if (remapping === undefined) return { ...config, usernsRemap: '' };
  const idMaps: IdMaps = remapping.maps;
  const root = rootOf(idMaps);
  const dataRoot = join(config.dataRoot, `${root.uid}.${root.gid}`);
  for (const place of [dataRoot, config.execRoot]) checkPassage(place, root);
  return { ...config, usernsRemap: remapping.name, idMaps, dataRoot };
}

/** Docker's rule: `default` makes the user that it means, with ranges that nobody has. */
function makeDefaultUser(): void {
  if (new RegExp(`^${defaultUser}:`, 'm').test(read('/etc/passwd'))) return;
  try {
    execFileSync('useradd', ['--system', '--no-create-home', '--user-group', '--shell', '/bin/false', defaultUser]);
    const free = Math.max(firstFree(read('/etc/subuid')), firstFree(read('/etc/subgid')));
    const range = `${free}-${free + rangeSize - 1}`;
    execFileSync('usermod', ['--add-subuids', range, '--add-subgids', range, defaultUser]);
  } catch (cause) {
    const problem = `Error during ${JSON.stringify(defaultUser)} user creation: ${messageOf(cause)}`;
    throw errors.badRemap({ problem }, { cause });
  }
}

const rangeSize = 65_536;
/** Where distributions begin. */
const firstRange = 100_000;

function firstFree(text: string): number {
  const ends = [...text.matchAll(/^[^:#]+:(\d+):(\d+)$/gm)].map(([, first, count]) => Number(first) + Number(count));
  return Math.max(firstRange, ...ends);
}

/** Root of containers must get to its own files. */
function checkPassage(path: string, { uid, gid }: Owner): void {
  for (let above = dirname(path); above !== '/'; above = dirname(above)) {
    let status: Stats;
    try {
      status = statSync(above);
    } catch {
      continue;
    }
    const mode = status.mode & 0o777;
    const passes =
      (mode & 0o001) !== 0 ||
      (status.uid === uid && (mode & 0o100) !== 0) ||
      (status.gid === gid && (mode & 0o010) !== 0);
    if (passes) continue;
    const advice = "please fix by allowing 'o+x' permissions on existing directories";
    const problem = `a subdirectory in your graphroot path (${path}) restricts access to the remapped root uid/gid; ${advice}`;
    throw errors.badRemap({ problem: `${problem}: ${above}` });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

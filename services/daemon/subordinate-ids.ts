import type { IdMaps, IdRange } from '../../proto/gen/longshore/contract/v1/id_maps.ts';
import { errors } from './config-errors.ts';

/** What the host's account files say: passwd(5), group(5), subuid(5), subgid(5). */
export interface Accounts {
  passwd: string;
  group: string;
  subuid: string;
  subgid: string;
}

export interface Remapping {
  /** `user:group`, by name. */
  name: string;
  maps: IdMaps;
}

/** Whom `default` means. */
export const defaultUser = 'dockremap';

/**
 * Reads `--userns-remap`: `default`, `user`, `user:group`, `uid` or `uid:gid`. Ids of containers are the user's subordinate ones,
 * by Docker's rules: those of the group's file are looked for by the user's name as well. Undefined: root is to be itself, which
 * is no mapping. Throws in Docker's words.
 */
export function remappingOf(given: string, accounts: Accounts): Remapping | undefined {
  const [who = '', whose, ...more] = given.split(':');
  const refuse = (problem: string) => errors.badRemap({ problem });
  if (more.length > 0) throw refuse(`Invalid user/group specification in --userns-remap: ${JSON.stringify(given)}`);
  const users = rows(accounts.passwd);
  const groups = rows(accounts.group);

  const user = userOf(who, users);
  const group = whose === undefined ? groupOfUser(who, groups) : groupNamed(whose, groups);
  if (user === 'root') return undefined;
  const uid = users.find(([name]) => name === user)?.[2] ?? '';
  const uids = rangesOf(accounts.subuid, user, uid);
  const gids = rangesOf(accounts.subgid, user, uid);
  if (uids.length === 0)
    throw refuse(`error creating ID mappings: no subuid ranges found for user ${JSON.stringify(user)}`);
  if (gids.length === 0)
    throw refuse(`error creating ID mappings: no subgid ranges found for user ${JSON.stringify(user)}`);
  return { name: `${user}:${group}`, maps: { uids, gids } };
}

function userOf(who: string, users: readonly string[][]): string {
  if (isId(who)) {
    const [name] = users.find(([, , uid]) => uid === who) ?? [];
    if (name !== undefined) return name;
    throw errors.badRemap({ problem: `Uid ${who} has no entry in /etc/passwd` });
  }
  const wanted = who === 'default' ? defaultUser : who;
  if (users.some(([name]) => name === wanted)) return wanted;
  throw errors.badRemap({ problem: `Error during uid lookup for ${JSON.stringify(wanted)}: no such user` });
}

/** The group of the user's name, or number. */
function groupOfUser(who: string, groups: readonly string[][]): string {
  if (isId(who)) return groupById(who, groups);
  const wanted = who === 'default' ? defaultUser : who;
  if (groups.some(([name]) => name === wanted)) return wanted;
  throw errors.badRemap({ problem: `Error during gid lookup for ${JSON.stringify(wanted)}: no such group` });
}

function groupNamed(whose: string, groups: readonly string[][]): string {
  if (isId(whose)) return groupById(whose, groups);
  if (groups.some(([name]) => name === whose)) return whose;
  throw errors.badRemap({ problem: `Error during groupname lookup for ${JSON.stringify(whose)}: no such group` });
}

function groupById(id: string, groups: readonly string[][]): string {
  const [name] = groups.find(([, , gid]) => gid === id) ?? [];
  if (name !== undefined) return name;
  throw errors.badRemap({ problem: `Gid ${id} has no entry in /etc/group` });
}

/** All ranges of a user, by name or number, one after the other from 0 on. */
function rangesOf(text: string, user: string, uid: string): IdRange[] {
  let next = 0;
  const ranges: IdRange[] = [];
  for (const [name, first, count] of rows(text)) {
    if (name !== user && name !== uid) continue;
    if (!isId(first ?? '') || !isId(count ?? '') || Number(count) === 0) continue;
    ranges.push({ containerId: next, hostId: Number(first), count: Number(count) });
    next += Number(count);
  }
  return ranges;
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= 0x7fff_ffff;
}

import { errors } from '../errors.ts';
import type { OciUser } from './oci.ts';

/** What a container's own files say, as text; undefined: there is no such file. */
export interface UserFiles {
  passwd: string | undefined;
  group: string | undefined;
}

export interface ContainerUser extends OciUser {
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** Of passwd(5) and group(5); ids fit the kernel's 32 bits, of which -1 is not an id. */
const maxId = 2 ** 31 - 1;

/**
 * Finds `--user` (name or uid, with `:group` or gid, or without) and `--group-add` in the container's own files.
 * Numbers need no entry. Without a given group, the user's supplementary groups come from the group file.
 */
export function lookupUser(user: string, additionalGroups: readonly string[], files: UserFiles): ContainerUser {
  const [userPart = '', groupPart] = splitUser(user);
  const passwd = parsePasswd(files.passwd ?? '');
  const groups = parseGroup(files.group ?? '');

  const entry = findUser(passwd, userPart === '' ? '0' : userPart);
  const numeric = userPart === '' ? 0 : numericId(userPart);
  if (entry === undefined && numeric === undefined) {
    throw unknownUser(user, `unable to find user ${userPart}: no matching entries in passwd file`);
  }
  const uid = entry?.uid ?? numeric ?? 0;
  const gid = groupPart === undefined ? (entry?.gid ?? 0) : findGroup(groups, groupPart, user);
  const memberships =
    groupPart === undefined && entry !== undefined
      ? groups.filter((group) => group.members.includes(entry.name)).map((group) => group.gid)
      : [];
  const added = additionalGroups.map((name) => findAdditionalGroup(groups, name));
  // The primary group stands among the supplementary ones too: otherwise dropping it would widen permissions (CVE-2022-36109).
  return { uid, gid, additionalGids: [...new Set([gid, ...memberships, ...added])], home: entry?.home || '/' };
}

function splitUser(user: string): [string, string | undefined] {
  const colon = user.indexOf(':');
  if (colon < 0) return [user, undefined];
  const group = user.slice(colon + 1);
  return [user.slice(0, colon), group === '' ? undefined : group];
}

function unknownUser(user: string, detail: string) {
  return errors.unknownUser({ user, detail });
}

/** An entry of that name; failing that, one with that uid. */
function findUser(entries: readonly PasswdEntry[], text: string): PasswdEntry | undefined {
  const byName = entries.find((entry) => entry.name === text);
  if (byName) return byName;
  const uid = numericId(text);
  return uid === undefined ? undefined : entries.find((entry) => entry.uid === uid);
}

function findGroup(entries: readonly GroupEntry[], text: string, user: string): number {
  const byName = entries.find((entry) => entry.name === text);
  const gid = byName?.gid ?? numericId(text);
  if (gid === undefined) throw unknownUser(user, `unable to find group ${text}: no matching entries in group file`);
  return gid;
}

function findAdditionalGroup(entries: readonly GroupEntry[], text: string): number {
  const gid = entries.find((entry) => entry.name === text)?.gid ?? numericId(text);
  if (gid === undefined) throw unknownUser(text, `Unable to find group ${text}: no matching entries in group file`);
  return gid;
}

function numericId(text: string): number | undefined {
  if (!/^-?\d+$/.test(text)) return undefined;
  const id = Number(text);
  if (id < 0 || id > maxId) throw unknownUser(text, `uids and gids must be in range 0-${maxId}`);
  return id;
}

function parsePasswd(text: string): PasswdEntry[] {
  return rows(text).flatMap(([name = '', , uid = '', gid = '', , home = '']) =>
    isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [],
  );
}

function parseGroup(text: string): GroupEntry[] {
  return rows(text).flatMap(([name = '', , gid = '', members = '']) =>
    isId(gid) ? [{ name, gid: Number(gid), members: members.split(',').map((member) => member.trim()) }] : [],
  );
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function isId(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= 0xffffffff;
}

import { chmodSync, chownSync, lstatSync } from 'node:fs';

/**
 * Gives a new layer's root the owner and permissions of its parent's: the top layer's root is what a container sees as `/`,
 * whatever the layers below say.
 */
export function copyRootAttributes(from: string, to: string): void {
  const wanted = lstatSync(from);
  const made = lstatSync(to);
  if (wanted.uid !== made.uid || wanted.gid !== made.gid) chownSync(to, wanted.uid, wanted.gid);
  if (wanted.mode !== made.mode) chmodSync(to, wanted.mode & 0o7777);
}

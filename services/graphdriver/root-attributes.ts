import { chmodSync, chownSync, lstatSync } from 'node:fs';

/**
 * Gives a new layer's root the owner and permissions of its parent's: the top layer's root is what a container sees as `/`,
 * whatever the layers below say. Without a parent they are root's and 0755, whatever this process's umask is.
 */
export function setRootAttributes(root: string, parentRoot: string | undefined): void {
  const wanted = parentRoot === undefined ? { uid: 0, gid: 0, mode: 0o755 } : lstatSync(parentRoot);
  const made = lstatSync(root);
  if (wanted.uid !== made.uid || wanted.gid !== made.gid) chownSync(root, wanted.uid, wanted.gid);
  if ((wanted.mode & 0o7777) !== (made.mode & 0o7777)) chmodSync(root, wanted.mode & 0o7777);
}

import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const commands = ['true', 'false', 'echo', 'sleep', 'cat', 'sh'];

/** A root filesystem of one static busybox, as the suite needs it. */
export async function makeRoot(busybox: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'conformance-root-'));
  for (const folder of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp']) await mkdir(join(path, folder));
  await copyFile(busybox, join(path, 'bin', 'busybox'));
  for (const command of commands) await symlink('busybox', join(path, 'bin', command));
  await writeFile(join(path, 'etc', 'passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  await writeFile(join(path, 'etc', 'group'), 'root:x:0:\n');
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

import { mkdirSync } from 'node:fs';
import { MountFlag, type Mounts } from '../../../kit/linux/mounts.ts';
import type { ContainerSpec } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { defaultShmSize } from '../spec/mounts.ts';
import type { Container } from './container.ts';

/**
 * Where on the host a container's /dev/shm is found by itself and by those that join its IPC: of one that shares it a tmpfs of
 * its own, of one that joins the other's. Empty: nobody but itself has it. Throws BAD_SPEC, JOINED_NOT_RUNNING.
 */
export function sharedMemoryOf(
  { containers, paths }: { containers: ReadonlyMap<string, Container>; paths: Paths },
  id: string,
  { ipcMode }: ContainerSpec,
): string {
  if (ipcMode === 'shareable') return paths.shmOf(id);
  if (ipcMode === 'host') return '/dev/shm';
  if (!ipcMode.startsWith('container:')) return '';
  const donor = ipcMode.slice('container:'.length);
  const { pid, record } = containers.get(donor) ?? {};
  if (pid === undefined) throw errors.joinedNotRunning({ id: donor, namespace: 'IPC' });
  const shm = record?.terms.shm ?? '';
  if (shm !== '') return shm;
  const hint = 'non-shareable IPC (hint: use IpcMode:shareable for the donor container)';
  throw errors.badSpec({ field: 'ipc_mode', detail: `failed to join IPC namespace: container ${donor}: ${hint}` });
}

/** Goes with the bundle that it is in. */
export function makeSharedMemory({ mounts, paths }: { mounts: Mounts; paths: Paths }, id: string, size: number): void {
  const shm = paths.shmOf(id);
  mkdirSync(shm, { recursive: true, mode: 0o700 });
  const flags = MountFlag.NOSUID | MountFlag.NODEV | MountFlag.NOEXEC;
  mounts.mount('shm', shm, 'tmpfs', flags, `mode=1777,size=${size || defaultShmSize}`);
}

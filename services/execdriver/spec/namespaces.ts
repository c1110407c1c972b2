import type { ContainerSpec } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';
import type { OciNamespace } from './oci.ts';

/** Finds the living init of another container, by id. */
export type FindInit = (id: string) => number | undefined;

/** What a container does not share with the host. A namespace that is not listed is the host's. */
export function namespacesFor(spec: ContainerSpec, cgroup2: boolean, findInit: FindInit): OciNamespace[] {
  const namespaces: OciNamespace[] = [{ type: 'mount' }];
  if (spec.userNamespacePath !== '') namespaces.push({ type: 'user', path: spec.userNamespacePath });
  if (spec.networkNamespacePath !== '') namespaces.push({ type: 'network', path: spec.networkNamespacePath });
  if (!isHost('uts_mode', spec.utsMode, [''])) namespaces.push({ type: 'uts' });
  namespaces.push(...shareable('pid', 'pid_mode', spec.pidMode, ['', 'private'], findInit));
  namespaces.push(...shareable('ipc', 'ipc_mode', spec.ipcMode, ['', 'private', 'shareable', 'none'], findInit));
  // As Docker: private where cgroups are unified; version 1 has always shown the host's.
  const cgroupMode = spec.cgroupnsMode || (cgroup2 ? 'private' : 'host');
  if (!isHost('cgroupns_mode', cgroupMode, ['private'])) namespaces.push({ type: 'cgroup' });
  return namespaces;
}

function isHost(field: string, mode: string, others: readonly string[]): boolean {
  if (mode === 'host') return true;
  if (others.includes(mode)) return false;
  throw errors.badSpec({ field, detail: `invalid ${field.replace('_', ' ')}: ${mode}` });
}

function shareable(
  type: 'pid' | 'ipc',
  field: string,
  mode: string,
  others: readonly string[],
  findInit: FindInit,
): OciNamespace[] {
  if (!mode.startsWith('container:')) return isHost(field, mode, others) ? [] : [{ type }];
  const id = mode.slice('container:'.length);
  const pid = findInit(id);
  if (pid === undefined) throw errors.joinedNotRunning({ id, namespace: type.toUpperCase() });
  return [{ type, path: `/proc/${pid}/ns/${type}` }];
}

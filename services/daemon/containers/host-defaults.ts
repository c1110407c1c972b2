import type { HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { ContainerDefaults } from '../daemon.ts';
import { logConfigOf } from '../logging/log-config.ts';

/** What a host configuration leaves to the engine, filled in as Docker does at create: `inspect` shows it, and it stays so. */
export function withDefaults(
  asked: HostConfig,
  { defaults, host }: { defaults: Usual; host: { cgroupLayout: string } },
): HostConfig {
  return {
    ...asked,
    runtime: asked.runtime || defaults.runtime,
    logConfig: logConfigOf(asked, defaults),
    ipcMode: asked.ipcMode || defaults.ipcMode,
    shmSize: asked.shmSize || defaults.shmSize,
    cgroupnsMode: asked.cgroupnsMode || usualCgroupns(asked.privileged, { defaults, host }),
    securityOpt: [...asked.securityOpt, ...labels(asked)],
  };
}

type Usual = Parameters<typeof logConfigOf>[1] &
  Pick<ContainerDefaults, 'runtime' | 'ipcMode' | 'shmSize' | 'cgroupnsMode'>;

/** The cgroup namespace of a container that names none. As in Docker the engine's wish is not for privileged ones, but on version 2. */
export function usualCgroupns(
  privileged: boolean,
  { defaults, host }: { defaults: Pick<ContainerDefaults, 'cgroupnsMode'>; host: { cgroupLayout: string } },
): string {
  if (host.cgroupLayout === 'v2') return defaults.cgroupnsMode || 'private';
  return (!privileged && defaults.cgroupnsMode) || 'host';
}

/** Who is among the host's processes, or may do all that it may, is not kept apart by SELinux, unless it was said how. */
function labels({ securityOpt, privileged, pidMode, ipcMode }: HostConfig): string[] {
  if (securityOpt.some((option) => option.startsWith('label=') || option.startsWith('label:'))) return [];
  return privileged || pidMode === 'host' || ipcMode === 'host' ? ['label=disable'] : [];
}

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
    cgroupnsMode: asked.cgroupnsMode || cgroupnsMode(asked, defaults, host),
    securityOpt: [...asked.securityOpt, ...labels(asked)],
  };
}

type Usual = Parameters<typeof logConfigOf>[1] &
  Pick<ContainerDefaults, 'runtime' | 'ipcMode' | 'shmSize' | 'cgroupnsMode'>;

/** As in Docker the engine's wish is not for privileged containers, but on version 2. */
function cgroupnsMode({ privileged }: HostConfig, usual: Usual, { cgroupLayout }: { cgroupLayout: string }): string {
  if (cgroupLayout === 'v2') return usual.cgroupnsMode || 'private';
  return (!privileged && usual.cgroupnsMode) || 'host';
}

/** Who is among the host's processes, or may do all that it may, is not kept apart by SELinux, unless it was said how. */
function labels({ securityOpt, privileged, pidMode, ipcMode }: HostConfig): string[] {
  if (securityOpt.some((option) => option.startsWith('label=') || option.startsWith('label:'))) return [];
  return privileged || pidMode === 'host' || ipcMode === 'host' ? ['label=disable'] : [];
}

import type { HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import { logConfigOf } from '../logging/log-config.ts';

/** What a host configuration leaves to the engine, filled in as Docker does at create: `inspect` shows it, and it stays so. */
export function withDefaults(
  asked: HostConfig,
  engine: { defaults: Parameters<typeof logConfigOf>[1] & { runtime: string }; host: { cgroupLayout: string } },
): HostConfig {
  return {
    ...asked,
    runtime: asked.runtime || engine.defaults.runtime,
    logConfig: logConfigOf(asked, engine.defaults),
    cgroupnsMode: asked.cgroupnsMode || (engine.host.cgroupLayout === 'v2' ? 'private' : 'host'),
    securityOpt: [...asked.securityOpt, ...labels(asked)],
  };
}

/** Who is among the host's processes, or may do all that it may, is not kept apart by SELinux, unless it was said how. */
function labels({ securityOpt, privileged, pidMode, ipcMode }: HostConfig): string[] {
  if (securityOpt.some((option) => option.startsWith('label=') || option.startsWith('label:'))) return [];
  return privileged || pidMode === 'host' || ipcMode === 'host' ? ['label=disable'] : [];
}

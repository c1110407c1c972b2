import { readFileSync } from 'node:fs';

/** In the order of their bits, capabilities(7), up to Linux 5.9's. */
export const capabilityNames = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

export type Capability = (typeof capabilityNames)[number];

/** The five sets of a process. The bounding set is the most that its children can ever have. */
export type CapabilitySets = {
  readonly effective: ReadonlySet<Capability>;
  readonly permitted: ReadonlySet<Capability>;
  readonly inheritable: ReadonlySet<Capability>;
  readonly bounding: ReadonlySet<Capability>;
  readonly ambient: ReadonlySet<Capability>;
};

function parseSet(status: string, field: string): Set<Capability> {
  const [, digits = '0'] = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status) ?? [];
  const bits = BigInt(`0x${digits}`);
  return new Set(capabilityNames.filter((_, bit) => (bits >> BigInt(bit)) & 1n));
}

/** Parses the text of a /proc/PID/status. */
export function parseCapabilities(status: string): CapabilitySets {
  return {
    effective: parseSet(status, 'CapEff'),
    permitted: parseSet(status, 'CapPrm'),
    inheritable: parseSet(status, 'CapInh'),
    bounding: parseSet(status, 'CapBnd'),
    ambient: parseSet(status, 'CapAmb'),
  };
}

/** What this process may do, and hand on. */
export function ownCapabilities(): CapabilitySets {
  return parseCapabilities(readFileSync('/proc/self/status', 'utf8'));
}

import type { Confinement } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';

/** Kernel interfaces that a container has no business with: they tell of the host or its other tenants. */
const masked = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

const readOnly = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export function maskedPaths(confinement: Confinement, thermalPaths: readonly string[]): string[] {
  if (confinement.maskedPaths) return confinement.maskedPaths.values;
  return confinement.privileged ? [] : [...masked, ...thermalPaths];
}

/** `hasCgroupMounts`: version 1's trees are shown below a tmpfs, which crun leaves writable where runc does not. */
export function readonlyPaths(confinement: Confinement, hasCgroupMounts: boolean): string[] {
  if (confinement.readonlyPaths) return confinement.readonlyPaths.values;
  if (confinement.privileged) return [];
  return hasCgroupMounts ? [...readOnly, '/sys/fs/cgroup'] : [...readOnly];
}

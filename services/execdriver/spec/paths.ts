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

export function readonlyPaths(confinement: Confinement): string[] {
  if (confinement.readonlyPaths) return confinement.readonlyPaths.values;
  return confinement.privileged ? [] : [...readOnly];
}

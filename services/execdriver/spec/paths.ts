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

export interface SystemPaths {
  maskedPaths: string[];
  readonlyPaths: string[];
}

/** What a container is kept from when nothing was said. */
export function usualPaths(thermalPaths: readonly string[]): SystemPaths {
  return { maskedPaths: [...masked, ...thermalPaths], readonlyPaths: [...readOnly] };
}

export function systemPaths(confinement: Confinement, thermalPaths: readonly string[]): SystemPaths {
  const { maskedPaths, readonlyPaths } = confinement.privileged
    ? { maskedPaths: [], readonlyPaths: [] }
    : usualPaths(thermalPaths);
  return {
    maskedPaths: confinement.maskedPaths?.values ?? maskedPaths,
    readonlyPaths: confinement.readonlyPaths?.values ?? readonlyPaths,
  };
}

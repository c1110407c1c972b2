import type { ContainerResources } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { ProbeResponse } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import { errors } from '../errors.ts';

const refuse = (field: string, problem: string) => errors.badConfig({ field: `resources.${field}`, problem });

const isWeight = (weight: number) => weight >= 10 && weight <= 1000;

const rates = [
  ['blkioReadBps', 'BPS Block I/O read limit', 'Block I/O BPS read limit'],
  ['blkioWriteBps', 'BPS Block I/O write limit', 'Block I/O BPS write limit'],
  ['blkioReadIops', 'IOPS Block read limit', 'Block I/O IOPS read limit'],
  ['blkioWriteIops', 'IOPS Block write limit', 'Block I/O IOPS write limit'],
] as const;

/** Limits of block devices. What this kernel lacks is taken out, and said. BAD_CONFIG, in Docker's words. */
export function checkBlockIo(resources: ContainerResources, kernel: ProbeResponse): string[] {
  const lacks = (what: string, gone: string) =>
    `Your kernel does not support ${what} or the cgroup is not mounted. ${gone} discarded.`;
  const warnings: string[] = [];
  if (resources.blkioWeight > 0 && !kernel.blkioWeight) {
    warnings.push(lacks('Block I/O weight', 'Weight'));
    resources.blkioWeight = 0;
  } else if (resources.blkioWeight > 0 && !isWeight(resources.blkioWeight)) {
    throw refuse('blkio_weight', 'Range of blkio weight is from 10 to 1000');
  }
  if (resources.blkioWeightDevices.length > 0 && !kernel.blkioWeightDevice) {
    warnings.push(lacks('Block I/O weight_device', 'Weight-device'));
    resources.blkioWeightDevices = [];
  }
  for (const { path, weight } of resources.blkioWeightDevices) {
    if (!isWeight(weight)) throw refuse('blkio_weight_devices', `invalid weight for device: ${path}:${weight}`);
  }
  for (const [field, what, gone] of rates) {
    if (resources[field].length === 0 || kernel.blkioThrottle) continue;
    warnings.push(lacks(what, gone));
    resources[field] = [];
  }
  return warnings;
}

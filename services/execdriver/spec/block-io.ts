import { statSync } from 'node:fs';
import { messageOf } from '../../../kit/errors.ts';
import { majorOf, minorOf } from '../../../kit/linux/files.ts';
import type { DeviceRate, Resources } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';
import type { OciBlockIo, OciThrottle } from './oci.ts';

/** Limits of block devices as the runtime takes them: by number. `weighs`: this kernel has proportional weights. */
export function blockIoFor(resources: Resources, weighs: boolean): OciBlockIo {
  const { blkioWeight, blkioWeightDevices } = resources;
  const limits = {
    throttleReadBpsDevice: throttles(resources.blkioReadBps, 'blkio_read_bps'),
    throttleWriteBpsDevice: throttles(resources.blkioWriteBps, 'blkio_write_bps'),
    throttleReadIOPSDevice: throttles(resources.blkioReadIops, 'blkio_read_iops'),
    throttleWriteIOPSDevice: throttles(resources.blkioWriteIops, 'blkio_write_iops'),
  };
  const weightDevice = weighs
    ? blkioWeightDevices.map(({ path, weight }) => ({ ...numbersOf(path, 'blkio_weight_devices'), weight }))
    : [];
  return {
    ...(blkioWeight !== 0 && weighs && { weight: blkioWeight }),
    ...(weightDevice.length > 0 && { weightDevice }),
    ...Object.fromEntries(Object.entries(limits).filter(([, rates]) => rates.length > 0)),
  };
}

function throttles(rates: readonly DeviceRate[], field: string): OciThrottle[] {
  return rates.map(({ path, rate }) => ({ ...numbersOf(path, field), rate }));
}

function numbersOf(path: string, field: string): { major: number; minor: number } {
  try {
    const { rdev } = statSync(path);
    return { major: majorOf(rdev), minor: minorOf(rdev) };
  } catch (cause) {
    throw errors.badSpec({ field: `resources.${field}`, detail: `stat ${path}: ${messageOf(cause)}` }, { cause });
  }
}

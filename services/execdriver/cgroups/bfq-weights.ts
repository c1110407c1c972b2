import { writeFileSync } from 'node:fs';
import { messageOf } from '../../../kit/errors.ts';
import { errors } from '../errors.ts';
import type { OciBlockIo, OciSpec } from '../spec/oci.ts';
import type { Hierarchies } from './hierarchies.ts';

/** Takes weights out of a spec: crun only knows the file that kernels had until 5.0. */
export function withoutWeights(spec: OciSpec): OciSpec {
  const { blockIO, ...resources } = spec.linux.resources;
  if (blockIO?.weight === undefined && blockIO?.weightDevice === undefined) return spec;
  const { weight: _, weightDevice: __, ...limits } = blockIO;
  const kept = Object.keys(limits).length > 0 ? { ...resources, blockIO: limits } : resources;
  return { ...spec, linux: { ...spec.linux, resources: kept } };
}

/** Gives a cgroup of version 1 its weights by the BFQ scheduler's files. RUNTIME_FAILED, with the kernel's words. */
export function writeBfqWeights(hierarchies: Hierarchies, cgroup: string, blockIo: OciBlockIo): void {
  const directory = hierarchies.directoryOf('blkio', cgroup);
  if (directory === undefined) return;
  const devices = blockIo.weightDevice?.map(({ major, minor, weight }) => `${major}:${minor} ${weight}`) ?? [];
  const lines = [
    ...(blockIo.weight === undefined ? [] : [['blkio.bfq.weight', `${blockIo.weight}`]]),
    ...devices.map((line) => ['blkio.bfq.weight_device', line]),
  ];
  for (const [file = '', value = ''] of lines) {
    try {
      writeFileSync(`${directory}/${file}`, value);
    } catch (cause) {
      throw errors.runtimeFailed({ detail: `cannot set ${file} to ${value}: ${messageOf(cause)}` }, { cause });
    }
  }
}

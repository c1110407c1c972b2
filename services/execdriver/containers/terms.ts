import { posix } from 'node:path';
import type { ContainerSpec } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { logTermsOf } from './log-terms.ts';
import type { Terms } from './record.ts';

/** What of a spec matters after the start. Throws BAD_SPEC. */
export function termsOf(id: string, spec: ContainerSpec, runtime: string, engineParent: string, shm: string): Terms {
  return {
    containerName: spec.containerName,
    runtime,
    cgroup: posix.join('/', spec.cgroupParent.replaceAll('..', '') || engineParent, id),
    additionalGroups: spec.additionalGroups,
    shm,
    sharesPids: !['', 'private'].includes(spec.pidMode),
    limitsMemory: (spec.resources?.memory ?? 0) > 0,
    tty: spec.tty,
    openStdin: spec.openStdin,
    stdinOnce: spec.stdinOnce,
    ...logTermsOf(spec.log),
  };
}

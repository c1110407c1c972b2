import { HostServiceDefinition, type ProbeResponse } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import type { ServiceSet } from '../supervisor/services.ts';
import type { Step } from './boot.ts';

/** The original's sysinfo: what this kernel can do for containers. */
export type HostFacts = ProbeResponse;

export const probeHost = (services: ServiceSet): Step<HostFacts> => ({
  name: 'probe host',
  async run(step) {
    const host = await services.execdriver.channel.client(HostServiceDefinition).probe({});
    step.say([`cgroup ${host.cgroupLayout}`, ...host.warnings].join('; '));
    return host;
  },
});

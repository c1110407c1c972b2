import { HostServiceDefinition } from '../../../proto/gen/longshore/network/v1/host.ts';
import type { Config } from '../config.ts';
import type { ServiceSet } from '../supervisor/services.ts';
import type { Step } from './boot.ts';

/** Whether containers have resolvers that they can reach. The original's check, of all nameserver lines. */
export const checkDns = (config: Config, services: ServiceSet): Step<void> => ({
  name: 'check DNS configuration',
  async run(step) {
    if (config.dns.length > 0) return step.say(`${config.dns.join(', ')} (named)`);
    const { servers, usableServers } = await services.network.channel.client(HostServiceDefinition).getResolvers({});
    const usable = usableServers.join(', ');
    if (servers.length > 0 && usableServers.every((server) => servers.includes(server))) return step.say(usable);
    step.say(`the host has ${servers.length === 0 ? 'no resolver' : 'local resolvers'}; containers use ${usable}`);
  },
});

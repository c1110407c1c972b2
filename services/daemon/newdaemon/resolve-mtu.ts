import { HostServiceDefinition } from '../../../proto/gen/longshore/network/v1/host.ts';
import type { Config } from '../config.ts';
import type { ServiceSet } from '../supervisor/services.ts';
import type { Step } from './boot.ts';

/** Ethernet's. */
const usualMtu = 1500;

/** The flag, else what the default route's interface has, else 1500. */
export const resolveMtu = (config: Config, services: ServiceSet): Step<number> => ({
  name: 'resolve MTU',
  async run(step) {
    if (config.mtu !== 0) {
      step.say(`${config.mtu} (named)`);
      return config.mtu;
    }
    const route = await services.network.channel.client(HostServiceDefinition).getDefaultRoute({});
    if (route.interface === undefined || route.mtu === 0) {
      step.say(`${usualMtu} (no default route)`);
      return usualMtu;
    }
    step.say(`${route.mtu} (of ${route.interface})`);
    return route.mtu;
  },
});

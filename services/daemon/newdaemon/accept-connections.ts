import { watchHealth } from '../../../kit/rpc/health.ts';
import type { Config } from '../config.ts';
import type { Step } from './boot.ts';
import { errors } from './errors.ts';
import type { Services } from './start-services.ts';

/** The name under which the gateway tells that its public sockets are open. */
const gatewayService = 'longshore.gateway';
const openTimeoutMs = 20_000;

/** The engine's services turn SERVING; the gateway, which watches them, opens the sockets that clients know. */
export const acceptConnections = (config: Config, services: Services): Step<void> => ({
  name: 'accept connections',
  async run(step) {
    services.server.setServing(true);
    step.defer(() => services.server.setServing(false));
    const { gateway } = services;
    const giveUp = AbortSignal.timeout(openTimeoutMs);
    const opened = (async () => {
      await gateway.ready();
      for await (const health of watchHealth(gateway.channel, gatewayService, giveUp)) if (health === 'SERVING') return;
      throw errors.gatewaySilent({ hosts: config.hosts.join(', ') });
    })();
    await Promise.race([opened, gateway.died()]);
    step.defer(() => gateway.stop());
    step.say(config.hosts.join(', '));
  },
});

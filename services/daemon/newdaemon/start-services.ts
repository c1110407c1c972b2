import { type Server, startServer } from '../server.ts';
import { type ServiceSet, started, stopServices, superviseAll } from '../supervisor/services.ts';
import type { Step } from './boot.ts';
import type { Host } from './host.ts';

export interface Services extends ServiceSet {
  /** The coordinator's own. */
  readonly server: Server;
}

/** Starts the five services and the gateway, or dials those that run elsewhere, or adopts those that live. */
export const startServices = (host: Host): Step<Services> => ({
  name: 'start services',
  async run(step) {
    const { config, log } = host;
    const server = await startServer(host);
    step.defer(() => server.stop());
    const set = superviseAll(config, host.launcher, log);
    step.defer(() => stopServices(set));
    const five = started.filter((role) => role !== 'gateway');
    await Promise.all(five.map((role) => set[role].ready()));
    const elsewhere = started.filter((role) => config.endpoints[role] !== undefined);
    step.say(elsewhere.length === 0 ? five.join(', ') : `${five.join(', ')}; elsewhere: ${elsewhere.join(', ')}`);
    return { ...set, server };
  },
});

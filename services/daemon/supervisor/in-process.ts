import { createLogger } from '../../../kit/log.ts';
import type { Role } from '../../../kit/roles.ts';
import { createNeighbours } from '../../../kit/rpc/neighbours.ts';
import { type Start, serviceConfig } from '../../../kit/service.ts';
import type { Config } from '../config.ts';
import type { Launcher } from './launcher.ts';

/** The services that a program with all of them in it can start. */
export type Starts = Readonly<Record<Exclude<Role, 'daemon'>, Start>>;

/** Services in this process, over the same contracts; others find them on the same sockets: `--embedded`. */
export function inProcessLauncher(config: Config, starts: Starts): Launcher {
  const neighbours = createNeighbours();
  return {
    neighbours,
    adopt: async () => undefined,
    async start(role) {
      if (role === 'daemon') throw new Error('the coordinator does not start itself');
      const running = await starts[role](
        serviceConfig({
          role,
          dataRoot: config.dataRoot,
          execRoot: config.execRoot,
          endpoints: config.endpoints,
          neighbours,
          flags: { host: config.hosts },
          log: createLogger({ role, level: config.logLevel, format: config.logFormat }),
          ...(config.group !== undefined && { group: config.group }),
        }),
      );
      return {
        pid: process.pid,
        adopted: false,
        ended: new Promise<string>(() => {}),
        lastWords: () => undefined,
        stop: () => running.stop(),
      };
    },
  };
}

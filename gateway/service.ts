import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../kit/errors.ts';
import type { Channel } from '../kit/rpc/dial.ts';
import { createOwnHealth, watchHealth } from '../kit/rpc/health.ts';
import { serve } from '../kit/rpc/serve.ts';
import type { Running, ServiceConfig } from '../kit/service.ts';
import { ContainerServiceDefinition } from '../proto/gen/longshore/daemon/v1/container.ts';
import { createAudit } from './audit.ts';
import { createRouter } from './engine-api/router.ts';
import { engineRoutes } from './engine-api/routes.ts';
import { httpServer } from './engine-api/server.ts';
import { createFrontDoor } from './front-door.ts';
import { openOwners } from './grpc/owners.ts';
import { grpcServer } from './grpc/server.ts';
import { hostsOf } from './hosts.ts';
import { dialPeers } from './peers.ts';
import { trySockets } from './public-sockets.ts';
import { createTraffic } from './traffic.ts';

/** Under this name health says whether the public sockets are open. */
const healthName = 'longshore.gateway';
const askAgainMs = 50;

/**
 * Opens the public sockets when the engine serves for the first time, and keeps them whatever becomes of it: a request to an
 * owner that is down waits for it a while, then fails alone.
 */
export async function start(config: ServiceConfig): Promise<Running> {
  const { log } = config;
  const hosts = hostsOf(config);
  await trySockets(config, hosts);
  const health = createOwnHealth();
  health.set(false, healthName);
  const served = await serve({ ...config, services: [], health });

  const audit = createAudit(log);
  const peers = dialPeers(config, audit);
  const owners = openOwners(config);
  const traffic = createTraffic();
  const http = httpServer(createRouter(engineRoutes(peers), { traffic, audit, log }));
  const door = createFrontDoor({ http, grpc: grpcServer(owners, { traffic, audit, log }), traffic });

  const stopping = new AbortController();
  const opening = (async () => {
    await Promise.race([engineServes(peers.daemon, stopping.signal), once(stopping.signal, 'abort')]);
    stopping.signal.throwIfAborted();
    await door.open(config, hosts);
    health.set(true, healthName);
    log.debug({ hosts: hosts.join(' ') }, 'accepting connections');
  })().catch((error: unknown) => {
    if (stopping.signal.aborted) return;
    log.fatal(`cannot accept connections: ${messageOf(error)}`);
    process.exit(1);
  });

  return {
    async stop() {
      stopping.abort();
      health.set(false, healthName);
      await opening;
      await door.close();
      await served.stop();
      peers.close();
      owners.close();
    },
  };
}

/** Waits for the engine, which may die and come again meanwhile. */
async function engineServes(daemon: Channel, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      for await (const health of watchHealth(daemon, ContainerServiceDefinition.fullName, signal)) {
        if (health === 'SERVING') return;
      }
    } catch {
      signal.throwIfAborted();
    }
    await delay(askAgainMs, undefined, { signal });
  }
}

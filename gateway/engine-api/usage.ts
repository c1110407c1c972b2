import { StreamPurpose } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { Peers } from '../peers.ts';
import type { Routes } from './router.ts';
import { sendStats } from './stats.ts';
import { topJson, topTable } from './top.ts';

/** What running containers use. */
export function usageRoutes(peers: Peers): Routes {
  return {
    async 'GET /containers/{id}/top'(exchange) {
      const table = topTable(exchange.query.text('ps_args') ?? '-ef');
      const { containerId } = await peers.containers.openStream({
        container: exchange.path.id ?? '',
        purpose: StreamPurpose.STREAM_PURPOSE_USAGE,
      });
      const { processes } = await peers.usage.listProcesses({ id: containerId });
      exchange.json(200, topJson(table, processes));
    },

    'GET /containers/{id}/stats': (exchange) => sendStats(exchange, peers),
  };
}

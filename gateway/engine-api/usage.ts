import { StreamPurpose } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { Peers } from '../peers.ts';
import type { Routes } from './router.ts';
import { sendStats } from './stats.ts';
import { topJson, topTable } from './top.ts';

/** What running containers use. */
export function usageRoutes(peers: Peers): Routes {
  return {
    async 'GET /containers/{id:*}/top'(exchange) {
      const options = exchange.query.text('ps_args') ?? '-ef';
      const table = topTable(options);
      const { containerId } = await peers.containers.openStream({
        container: exchange.path.id ?? '',
        purpose: StreamPurpose.STREAM_PURPOSE_TOP,
      });
      const psOptions = table === undefined ? options.split(/[\t\n\f\r ]+/).filter(Boolean) : [];
      const { processes, titles, rows } = await peers.usage.listProcesses({ id: containerId, psOptions });
      const answer = table === undefined ? { Titles: titles, Processes: rows.map(({ cells }) => cells) } : undefined;
      exchange.json(200, answer ?? topJson(table ?? [], processes));
    },

    'GET /containers/{id:*}/stats': (exchange) => sendStats(exchange, peers),
  };
}

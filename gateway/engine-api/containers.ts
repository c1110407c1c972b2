import { isServiceError } from '../../kit/errors.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type { Container } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { ExecState } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { Peers } from '../peers.ts';
import { attach, attachWebSocket } from './attach.ts';
import { bodyOf, int32 } from './body.ts';
import { listContainersRequest } from './container-filter.ts';
import { containerJson } from './container-json.ts';
import { containerRow } from './container-row.ts';
import { createContainer } from './create-container.ts';
import { BadRequest, notFound, notServed, prefixed } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { graphDriverJson } from './graph-driver.ts';
import { sendLogs } from './logs.ts';
import { patient } from './patience.ts';
import { pruneContainersRequest } from './prune.ts';
import { resourcesOf } from './resources.ts';
import type { Routes } from './router.ts';
import { resizeTerminal } from './terminal.ts';
import { atLeast } from './version.ts';
import { waitFor } from './wait.ts';

/** For verbs that last as long as the container's own stop timeout says. */
const endless = { deadlineMs: Number.POSITIVE_INFINITY };

/** How long an inspect waits for what is not the daemon's. */
const tellMs = 500;

export function containerRoutes(peers: Peers): Routes {
  const { containers } = peers;
  return {
    async 'GET /containers/json'(exchange) {
      const request = listContainersRequest(exchange.query);
      const listed =
        request === undefined
          ? []
          : await Array.fromAsync(containers.listContainers(request, { signal: exchange.signal }));
      exchange.json(
        200,
        listed.flatMap(({ container }) => (container === undefined ? [] : [containerRow(container)])),
      );
    },

    'POST /containers/create': (exchange) => createContainer(exchange, peers),

    async 'GET /containers/{id:*}/json'(exchange) {
      const { container } = await containers.getContainer({
        container: named(exchange),
        withSize: exchange.query.truth('size'),
      });
      if (container === undefined) throw noSuchContainer(exchange);
      const [execs, graphDriver] = await Promise.all([
        openExecs(peers, container),
        graphDriverJson(peers, container.layerDriver, container.id),
      ]);
      exchange.json(200, containerJson(container, execs, graphDriver));
    },

    async 'POST /containers/{id:*}/start'(exchange) {
      if (exchange.query.text('checkpoint') !== undefined) throw notServed('checkpoints');
      // An empty object is as far as clients may go.
      if (Number(exchange.request.headers['content-length'] ?? 0) > 7) {
        const since = 'was deprecated since API v1.22 and removed in v1.24';
        throw new BadRequest(`starting container with non-empty request body ${since}`);
      }
      const { outcome } = await containers.startContainer({ container: named(exchange) }, patient);
      answerOutcome(exchange, outcome);
    },

    async 'POST /containers/{id:*}/stop'(exchange) {
      const { outcome } = await containers.stopContainer({ container: named(exchange), ...ending(exchange) }, endless);
      answerOutcome(exchange, outcome);
    },

    async 'POST /containers/{id:*}/restart'(exchange) {
      await containers.restartContainer({ container: named(exchange), ...ending(exchange) }, endless);
      exchange.empty(204);
    },

    async 'POST /containers/{id:*}/kill'(exchange) {
      const signal = exchange.query.text('signal') ?? '';
      const prefix = `cannot kill container: ${named(exchange)}`;
      await prefixed(prefix, containers.killContainer({ container: named(exchange), signal }, patient));
      exchange.empty(204);
    },

    async 'POST /containers/{id:*}/pause'(exchange) {
      await containers.pauseContainer({ container: named(exchange) });
      exchange.empty(204);
    },

    async 'POST /containers/{id:*}/unpause'(exchange) {
      await containers.unpauseContainer({ container: named(exchange) });
      exchange.empty(204);
    },

    async 'POST /containers/{id:*}/rename'(exchange) {
      const name = exchange.query.text('name')?.replace(/^\//, '') ?? '';
      const isOfName = (error: unknown) => isServiceError(error, 'NAME_IN_USE') || isServiceError(error, 'BAD_NAME');
      const renamed = containers.renameContainer({ container: named(exchange), name });
      await prefixed('Error when allocating new name', renamed, isOfName);
      exchange.empty(204);
    },

    async 'DELETE /containers/{id:*}'(exchange) {
      const { query } = exchange;
      const { outcome } = await containers.removeContainer(
        {
          container: named(exchange),
          force: query.truth('force'),
          removeVolumes: query.truth('v'),
          removeLink: query.truth('link'),
        },
        patient,
      );
      if (outcome === Outcome.OUTCOME_ABSENT) throw noSuchContainer(exchange);
      exchange.empty(204);
    },

    async 'POST /containers/{id:*}/update'(exchange) {
      const body = (await exchange.body()) ?? bodyOf({});
      const restart = body.object('RestartPolicy');
      const { warnings } = await containers.updateContainer({
        container: named(exchange),
        resources: resourcesOf(body),
        restartPolicy: body.has('RestartPolicy')
          ? { name: restart.text('Name'), maximumRetryCount: restart.integer('MaximumRetryCount', int32) }
          : undefined,
      });
      exchange.json(200, { Warnings: warnings.length > 0 ? warnings : null });
    },

    async 'POST /containers/prune'(exchange) {
      const { removed, reclaimed } = await containers.pruneContainers(pruneContainersRequest(exchange.query), patient);
      exchange.json(200, { ContainersDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: reclaimed });
    },

    async 'GET /containers/{id:*}/changes'(exchange) {
      // A container's writable layer has the container's own id.
      const { containerId } = await containers.openStream({ container: named(exchange) });
      const changes = await Array.fromAsync(peers.layers.listChanges({ id: containerId }, { signal: exchange.signal }));
      // Docker counts the kinds from 0: modified, added, deleted.
      exchange.json(
        200,
        changes.map(({ path, kind }) => ({ Path: path, Kind: kind - 1 })),
      );
    },

    'POST /containers/{id:*}/resize': (exchange) => resizeTerminal(exchange, peers),
    'POST /containers/{id:*}/wait': (exchange) => waitFor(exchange, peers),
    'POST /containers/{id:*}/attach': (exchange) => attach(exchange, peers),
    'GET /containers/{id:*}/attach/ws': (exchange) => attachWebSocket(exchange, peers),
    'GET /containers/{id:*}/logs': (exchange) => sendLogs(exchange, peers),
  };
}

const named = (exchange: Exchange) => exchange.path.id ?? '';

/** Those of a running container that have not ended; none when nobody can tell them now. */
async function openExecs(peers: Peers, { id, state }: Container): Promise<string[]> {
  if ((state?.pid ?? 0) === 0) return [];
  const open: string[] = [];
  try {
    for await (const { exec } of peers.execs.listExecs({ containerId: id }, { signal: AbortSignal.timeout(tellMs) })) {
      if (exec !== undefined && exec.state !== ExecState.EXEC_STATE_EXITED) open.push(exec.id);
    }
  } catch {
    // A record can be shown without them.
  }
  return open;
}

const noSuchContainer = (exchange: Exchange) => notFound(`No such container: ${named(exchange)}`);

/** How a stop or restart goes about it. */
function ending({ query, version }: Exchange) {
  const signal = atLeast(version, '1.42') ? query.text('signal') : undefined;
  return { signal: signal ?? '', timeoutS: query.integer('t') };
}

function answerOutcome(exchange: Exchange, outcome: Outcome): void {
  if (outcome === Outcome.OUTCOME_ABSENT) throw noSuchContainer(exchange);
  exchange.empty(outcome === Outcome.OUTCOME_ALREADY ? 304 : 204);
}

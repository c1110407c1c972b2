import type { EventFilter, WatchEventsResponse } from '../../proto/gen/longshore/daemon/v1/event.ts';
import type { GetVersionResponse } from '../../proto/gen/longshore/daemon/v1/system.ts';
import type { Peers } from '../peers.ts';
import { BadRequest } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { infoJson } from './info.ts';
import { exactNumber } from './json.ts';
import { outlasting } from './outage.ts';
import type { Query } from './query.ts';
import type { Routes } from './router.ts';
import { secondsOf } from './times.ts';
import { newestVersion, oldestVersion } from './version.ts';

export function systemRoutes(peers: Peers): Routes {
  return {
    'GET /_ping': (exchange) => exchange.text({ ...pingHeaders, 'Content-Length': 2 }, 'OK'),
    'HEAD /_ping': (exchange) => exchange.text({ ...pingHeaders, 'Content-Length': 0 }, ''),

    async 'GET /version'(exchange) {
      exchange.json(200, versionJson(await peers.system.getVersion({})));
    },

    async 'GET /info'(exchange) {
      exchange.json(200, infoJson(await peers.system.getInfo({})));
    },

    'GET /events': (exchange) => sendEvents(exchange, peers),
  };
}

const pingHeaders = {
  // No BuildKit: clients take the classic builder.
  'Builder-Version': '1',
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  'Content-Type': 'text/plain; charset=utf-8',
  'Docker-Experimental': 'false',
  Pragma: 'no-cache',
  Swarm: 'inactive',
};

function versionJson(version: GetVersionResponse): object {
  const engine = {
    ApiVersion: newestVersion,
    MinAPIVersion: oldestVersion,
    GitCommit: version.revision,
    // Clients print it as the language's version, whichever that is.
    GoVersion: `node ${version.nodeVersion}`,
    Os: version.os,
    Arch: version.architecture,
    KernelVersion: version.kernelVersion,
  };
  const others = version.components.filter(({ name }) => name !== 'Engine');
  return {
    Platform: { Name: 'Longshore' },
    Components: [
      { Name: 'Engine', Version: version.version, Details: { ...engine, Experimental: 'false' } },
      ...others.map((each) => ({ Name: each.name, Version: each.version, Details: each.details })),
    ],
    Version: version.version,
    ...engine,
  };
}

async function sendEvents(exchange: Exchange, peers: Peers): Promise<void> {
  const { query, signal } = exchange;
  const filter = eventFilter(query);
  const untilNs = query.time('until');
  if (untilNs !== 0n && untilNs < query.time('since')) {
    const [since, until] = [query.text('since'), query.text('until')];
    throw new BadRequest(`\`since\` time (${since}) cannot be after \`until\` time (${until})`);
  }
  // Who names an end but no beginning, or the epoch as that, wants all that is kept.
  const isBounded = untilNs !== 0n || query.text('since') !== undefined;
  let from = { after: 0, sinceNs: query.time('since') || (isBounded ? 1n : 0n) };
  const events = outlasting(() => peers.events.watchEvents({ ...from, untilNs, filter }, { signal }), signal);
  for await (const event of events) {
    // The first message says that the watch stands: what the client does next it will see.
    exchange.stream('application/json');
    if (event.cursor !== 0) {
      from = { after: event.cursor, sinceNs: 0n };
      await exchange.write(`${JSON.stringify(eventJson(event))}\n`);
    } else if (from.after === 0 && from.sinceNs === 0n) {
      // Where to go on from if the daemon dies before there is an event.
      from = { after: 0, sinceNs: BigInt(Date.now()) * 1_000_000n };
    }
  }
  exchange.stream('application/json');
  exchange.end();
}

function eventFilter(query: Query): EventFilter {
  // As in Docker: what is asked of other kinds of things than there are here is no error.
  const filters = query.filters();
  return {
    types: filters.type ?? [],
    actions: filters.event ?? [],
    containers: filters.container ?? [],
    images: filters.image ?? [],
    volumes: filters.volume ?? [],
    networks: filters.network ?? [],
    labels: filters.label ?? [],
    scopes: filters.scope ?? [],
  };
}

function eventJson(event: WatchEventsResponse): object {
  const isLegacy = event.type === 'container' || event.type === 'image';
  return {
    ...(isLegacy && { status: event.action, id: event.actorId }),
    ...(event.type === 'container' && { from: event.attributes.image ?? '' }),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.actorId, Attributes: event.attributes },
    scope: 'local',
    time: secondsOf(event.timeNs),
    timeNano: exactNumber(event.timeNs),
  };
}

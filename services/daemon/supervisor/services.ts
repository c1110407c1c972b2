import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../../kit/errors.ts';
import type { Logger } from '../../../kit/log.ts';
import { type Channel, dial } from '../../../kit/rpc/dial.ts';
import { watchHealth } from '../../../kit/rpc/health.ts';
import { endpointOf } from '../../../kit/service.ts';
import type { Config } from '../config.ts';
import { errors } from './errors.ts';
import type { Launched, Launcher } from './launcher.ts';

/** What the coordinator starts, in the order in which it does. */
export const started = ['graphdriver', 'network', 'execdriver', 'graph', 'volume', 'gateway'] as const;
export type Started = (typeof started)[number];

export interface ServiceStatus {
  role: Started;
  serving: boolean;
  /** 0: it runs elsewhere, or is down at the moment. */
  pid: number;
  endpoint: string;
  restarts: number;
}

export interface Service {
  readonly role: Started;
  readonly channel: Channel;
  /** Resolves when it answers for the first time; rejects with its last words when it ends before, or is silent too long. */
  ready(): Promise<void>;
  /** Rejects with its last words when it ends; never resolves. */
  died(): Promise<never>;
  /** Called each time it has come back: the coordinator confirms what the service resumed by itself. */
  confirm(init: () => Promise<void>): void;
  /** Does so now: what the service is told by them has changed. */
  tellAgain(): Promise<void>;
  status(): ServiceStatus;
  stop(): Promise<void>;
}

/** A service that lived so long has proven itself; its next death is answered at once. */
const provenAfterMs = 10_000;
const firstDelayMs = 100;
/** So that whoever waits for a service has it again within two seconds. */
const longestDelayMs = 1_000;
/** On a busy machine six programs take their time. */
const readyTimeoutMs = 30_000;
/** One that runs elsewhere is there, or it is not. */
const elsewhereTimeoutMs = 5_000;

/** Starts or adopts a service and keeps it alive; one with an endpoint of its own is dialled only. */
export function superviseService(role: Started, config: Config, launcher: Launcher, log: Logger): Service {
  const endpoint = endpointOf(config, role);
  const channel = dial(endpoint, { role: 'daemon', log, neighbours: launcher.neighbours });
  const stopping = new AbortController();
  const inits: (() => Promise<void>)[] = [];
  let launched: Launched | undefined;
  let serving = false;
  let restarts = 0;
  let stopped: Promise<void> | undefined;
  const elsewhere = config.endpoints[role] !== undefined;
  const first = elsewhere ? Promise.resolve(undefined) : launch();
  const up = first.then((one) => answers(one));
  up.catch(() => {});
  const kept = elsewhere ? watchElsewhere() : keepAlive();

  async function launch(): Promise<Launched> {
    launched = (await launcher.adopt(role)) ?? (await launcher.start(role));
    return launched;
  }

  async function diedOf(one: Launched): Promise<never> {
    const how = await one.ended;
    throw errors.serviceEnded({ service: role, how, lastWords: one.lastWords() ?? '' });
  }

  async function answers(one: Launched | undefined): Promise<void> {
    const ended = one && diedOf(one);
    ended?.catch(() => {});
    const ready = channel.ready(elsewhere ? elsewhereTimeoutMs : readyTimeoutMs).then((answered) => {
      if (!answered) throw errors.serviceSilent({ service: role, endpoint });
    });
    await (ended === undefined ? ready : Promise.race([ready, ended]));
    serving = true;
  }

  async function confirmAll(): Promise<void> {
    for (const init of inits) await init();
  }

  async function keepAlive(): Promise<void> {
    let wait = 0;
    let one = await first.catch(() => undefined);
    // One that never came up is the boot's to tell.
    if (await up.catch(() => 'never')) return;
    while (!stopping.signal.aborted) {
      const born = Date.now();
      const how = one === undefined ? 'could not be started' : await one.ended;
      serving = false;
      launched = undefined;
      if (stopping.signal.aborted) return;
      if (Date.now() - born > provenAfterMs) wait = 0;
      restarts += 1;
      log.warn({ service: role, ...(one && { pid: one.pid }) }, `${role} ended (${how}); starting it again`);
      await delay(wait, undefined, { signal: stopping.signal }).catch(() => {});
      wait = Math.min(wait === 0 ? firstDelayMs : wait * 2, longestDelayMs);
      if (stopping.signal.aborted) return;
      one = await launch().catch((error: unknown) => {
        log.error({ service: role }, messageOf(error));
        return undefined;
      });
      await answers(one)
        .then(confirmAll)
        .catch((error: unknown) => log.error({ service: role }, messageOf(error)));
    }
  }

  async function watchElsewhere(): Promise<void> {
    let seen = false;
    while (!stopping.signal.aborted) {
      try {
        for await (const health of watchHealth(channel, '', stopping.signal)) {
          const now = health === 'SERVING';
          if (now && seen && !serving) await confirmAll();
          serving = now;
          seen ||= now;
        }
      } catch {
        // The connection broke: `serving` says so, and the watch is set up again.
      }
      serving = false;
      await delay(200, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  async function end(): Promise<void> {
    stopping.abort();
    await first.catch(() => {});
    await launched?.stop();
    channel.close();
    if (elsewhere) await kept;
  }

  return {
    role,
    channel,
    ready: () => up,
    async died() {
      const one = await first;
      return one === undefined ? new Promise<never>(() => {}) : diedOf(one);
    },
    confirm: (init) => inits.push(init),
    tellAgain: confirmAll,
    status: () => ({ role, serving, pid: launched?.pid ?? 0, endpoint, restarts }),
    stop() {
      stopped ??= end();
      return stopped;
    },
  };
}

export type ServiceSet = Readonly<Record<Started, Service>>;

export function superviseAll(config: Config, launcher: Launcher, log: Logger): ServiceSet {
  const one = (role: Started) => superviseService(role, config, launcher, log);
  return {
    graphdriver: one('graphdriver'),
    network: one('network'),
    execdriver: one('execdriver'),
    graph: one('graph'),
    volume: one('volume'),
    gateway: one('gateway'),
  };
}

/** Ends all of them, the gateway first, and gives what went wrong. */
export async function stopServices(services: ServiceSet): Promise<void> {
  await services.gateway.stop();
  const others: Service[] = started.filter((role) => role !== 'gateway').map((role) => services[role]);
  const problems = (await Promise.allSettled(others.map((service) => service.stop()))).filter(
    (result) => result.status === 'rejected',
  );
  if (problems.length > 0)
    throw new AggregateError(
      problems.map((problem) => problem.reason),
      'services did not stop',
    );
}

import { isDeepStrictEqual } from 'node:util';
import { nowNs } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import { LogServiceDefinition } from '../../proto/gen/longshore/contract/v1/log.ts';
import { type Config, isDebug } from './config.ts';
import type { Daemon } from './newdaemon/build-daemon.ts';
import { type Started, started } from './supervisor/services.ts';

/** What a reload changes while the engine runs, as dockerd's does, and the service that has to be told first. */
const reloadable = {
  logLevel: undefined,
  labels: undefined,
  liveRestore: undefined,
  defaultShmSize: undefined,
  insecureRegistries: 'graph',
  defaultRuntime: 'execdriver',
  runtimes: 'execdriver',
} as const satisfies Partial<Record<keyof Config, Started | undefined>>;
type Reloadable = keyof typeof reloadable;

/** How the configuration file calls what is not called the same here. */
const keys: Partial<Record<keyof Config, string>> = {
  bindingIp: 'ip',
  defaultUlimits: 'default-ulimits',
  disableNetwork: 'bridge',
  dnsOptions: 'dns-opts',
  logOptions: 'log-opts',
  selinux: 'selinux-enabled',
  storageOptions: 'storage-opts',
};

export interface Changes {
  readonly reloaded: readonly Reloadable[];
  /** Keys of the configuration file that the next start will see. */
  readonly needRestart: readonly string[];
}

/** Compares what the engine runs with to what a file says now. */
export function changesIn(present: Config, next: Config): Changes {
  const names = Object.keys({ ...present, ...next }) as (keyof Config)[];
  const changed = names.filter((name) => !isDeepStrictEqual(present[name], next[name]));
  const reloaded = changed.filter((name) => name in reloadable) as Reloadable[];
  const others = changed.filter((name) => !(name in reloadable));
  return { reloaded, needRestart: [...new Set(others.map(keyOf))] };
}

export function keyOf(name: keyof Config): string {
  return keys[name] ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * Puts what may be reloaded of `next` into `config`, where all read it; all of it, or nothing: a service that refuses what it
 * is told gets the present again. `present` is the configuration as it was last read.
 */
export async function reload(daemon: Daemon, config: Config, present: Config, next: Config): Promise<Changes> {
  const { engine, services } = daemon;
  const changes = changesIn(present, next);
  const told = new Set(changes.reloaded.map((name) => reloadable[name]).filter((role) => role !== undefined));
  const tellAll = async () => {
    for (const role of told) await services[role].tellAgain();
  };
  Object.assign(config, only(next));
  try {
    await tellAll();
  } catch (error) {
    Object.assign(config, only(present));
    await tellAll().catch((undone: unknown) =>
      engine.log.error({ err: undone }, 'a service keeps what was not reloaded until it is told anew'),
    );
    throw error;
  }
  await Promise.all(started.map((role) => tellLevel(daemon, role, config)));
  engine.log.level = config.logLevel;
  tellWatchers(daemon, config);
  return changes;
}

const only = (config: Config) =>
  Object.fromEntries(Object.keys(reloadable).map((name) => [name, config[name as Reloadable]]));

/** One that is down is started with it. */
async function tellLevel({ engine, services }: Daemon, role: Started, { logLevel }: Config): Promise<void> {
  const control = services[role].channel.client(LogServiceDefinition);
  await control.setLevel({ level: logLevel }).catch((error: unknown) => {
    engine.log.warn({ service: role }, `the log level stays as it was: ${messageOf(error)}`);
  });
}

/** The event that dockerd emits, with its attributes. */
function tellWatchers({ engine, events }: Daemon, config: Config): void {
  const attributes = {
    name: engine.facts.host.hostname,
    debug: String(isDebug(config)),
    labels: JSON.stringify(config.labels),
    'live-restore': String(config.liveRestore),
    'insecure-registries': JSON.stringify(config.insecureRegistries),
    'default-runtime': config.defaultRuntime,
    'default-shm-size': String(config.defaultShmSize),
    runtimes: config.runtimes.map(({ name, path }) => `${name}:${path}`).join(' '),
  };
  const timeNs = nowNs();
  const event = { type: 'daemon', action: 'reload', actorId: engine.engineId, attributes, timeNs };
  engine.records.transaction(() => events.record([event]))();
}

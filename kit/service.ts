import { once } from 'node:events';
import type { Command } from 'commander';
import { messageOf } from './errors.ts';
import { parseFlags } from './flags.ts';
import type { Logger } from './log.ts';
import type { Role } from './roles.ts';
import type { Neighbours } from './rpc/neighbours.ts';

/** Files in PEM. Both ends show a certificate that `ca` has signed. */
export interface TlsFiles {
  ca: string;
  cert: string;
  key: string;
}

/** All that a service is told from outside. Policy comes later, by Init. */
export interface ServiceConfig {
  readonly role: Role;
  /** The engine's root; a service keeps to `<dataRoot>/<role>`. */
  readonly dataRoot: string;
  /** Sockets and what need not outlive a reboot. */
  readonly execRoot: string;
  /** `unix:///path` or `tcp://host:port`. */
  readonly listen: readonly string[];
  /** Name or number of the group that may use the sockets. */
  readonly group?: string;
  /** Peers that are not at their usual sockets. */
  readonly endpoints: Readonly<Partial<Record<Role, string>>>;
  readonly tls?: TlsFiles;
  readonly log: Logger;
  /** Those of the same process. */
  readonly neighbours?: Neighbours;
  /** The values of the service's own flags, by commander's camelCase names. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Aborted when the process is told to stop; a start that honours it undoes what it did and throws. */
  readonly signal?: AbortSignal;
}

export interface Running {
  stop(): Promise<void>;
}

/** A service: runs until stopped. Several run in one process, so it keeps nothing in module variables. */
export type Start = (config: ServiceConfig) => Promise<Running>;

type Defaulted = 'listen' | 'endpoints' | 'flags';

/** Completes a configuration with what it has by default: the usual socket, no overrides, no flags. */
export function serviceConfig(
  given: Omit<ServiceConfig, Defaulted> & Partial<Pick<ServiceConfig, Defaulted>>,
): ServiceConfig {
  const config = { endpoints: {}, flags: {}, ...given };
  return {
    ...config,
    listen: given.listen ?? [usualSocket(given.execRoot, given.role)],
  };
}

/** Where to dial a role. */
export function endpointOf(config: Pick<ServiceConfig, 'endpoints' | 'execRoot'>, role: Role): string {
  return config.endpoints[role] ?? usualSocket(config.execRoot, role);
}

function usualSocket(execRoot: string, role: Role): string {
  return `unix://${execRoot}/${role}.sock`;
}

/** How long a start may take to notice that it is no longer wanted. */
const abandonStartMs = 10_000;

/**
 * The life of a service as a process: flags, start, then SIGTERM or SIGINT → stop → exit 0.
 * A failure to start is one line and exit 1. `extraOptions` adds the service's own flags.
 */
export async function runService(role: Role, start: Start, extraOptions?: (command: Command) => void): Promise<void> {
  const stopAsked = new AbortController();
  const config = {
    ...parseFlags(role, process.argv.slice(2), extraOptions),
    signal: stopAsked.signal,
  };
  const { log } = config;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.debug({ signal }, 'stopping');
      stopAsked.abort();
    });
  }

  const abandonStart = () => setTimeout(() => !hasStarted && process.exit(1), abandonStartMs).unref();
  stopAsked.signal.addEventListener('abort', abandonStart);
  let hasStarted = false;
  let running: Running;
  try {
    running = await start(config);
  } catch (error) {
    if (stopAsked.signal.aborted) process.exit(0);
    log.debug({ err: error }, 'start failed');
    log.fatal(`cannot start: ${messageOf(error)}`);
    process.exit(1);
  }
  hasStarted = true;
  log.debug({ listen: config.listen.join(' '), root: config.dataRoot }, 'ready');

  if (!stopAsked.signal.aborted) await once(stopAsked.signal, 'abort');
  try {
    await running.stop();
  } catch (error) {
    log.error({ err: error }, 'stopped with errors');
    process.exit(1);
  }
  process.exit(0);
}

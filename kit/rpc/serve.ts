import { setTimeout as delay } from 'node:timers/promises';
import {
  type CompatServiceDefinition,
  composeServerMiddleware,
  createServer,
  type Server,
  type ServiceImplementation,
  type TsProtoServiceDefinition,
} from 'nice-grpc';
import { HealthDefinition, HealthServiceImpl } from 'nice-grpc-server-health';
import { LogServiceDefinition } from '../../proto/gen/longshore/contract/v1/log.ts';
import type { Logger } from '../log.ts';
import type { Role } from '../roles.ts';
import type { TlsFiles } from '../service.ts';
import { parseListen, serverCredentials } from './endpoint.ts';
import { createOwnHealth, type OwnHealth } from './health.ts';
import { exposeDeadline } from './intercept.ts';
import { maxMessageBytes } from './limits.ts';
import { type Adding, createLocalServer } from './local-server.ts';
import { logService } from './log-level.ts';
import { contextMiddleware, errorMiddleware, loggingMiddleware } from './middleware.ts';
import type { Neighbours } from './neighbours.ts';
import { reflectionServices } from './reflection.ts';
import { withRopes } from './rope-writer.ts';
import { placeSocket } from './socket.ts';
import { createStopping } from './stopping.ts';

/** A stop gives calls this long to end. */
const drainMs = 5000;
/** And streams, which may never end by themselves, this long. */
const streamDrainMs = 300;
/** What was told to end has this long to say so to its caller. */
const farewellMs = 100;

export interface ServeOptions {
  role: Role;
  /** `unix:///path` or `tcp://host:port`; port 0 takes a free one. */
  listen: readonly string[];
  log: Logger;
  services: readonly Service[];
  /** What grpc.health.v1 says of them; one that nothing was said of is not serving, unless it answers from the first moment. */
  health?: OwnHealth;
  /** Group of the unix sockets. */
  group?: string;
  tls?: TlsFiles;
  /** Bytes; 16 MiB when left out. */
  maxMessage?: number;
  /** File with the FileDescriptorSet that reflection answers from; the one made with proto/gen when left out. */
  descriptors?: string;
  /** Those of the same process: they reach the unix sockets without them. */
  neighbours?: Neighbours;
}

export interface Served {
  /** Where to dial it, one for each of `listen`. */
  readonly endpoints: readonly string[];
  /** Takes no more calls, lets those in progress end for up to 5 s, and closes. */
  stop(): Promise<void>;
}

/** A contract with its implementation. */
export interface Service {
  readonly name: string;
  readonly isServing: boolean;
  addTo(server: Adding): void;
}

/** `serving`: healthy from the first moment, as services are that answer before Init. */
export function service<D extends TsProtoServiceDefinition>(
  definition: D,
  implementation: ServiceImplementation<D>,
  options: { serving?: boolean } = {},
): Service {
  return {
    name: definition.fullName,
    isServing: options.serving ?? false,
    addTo: (server) => server.add(withRopes(definition), implementation),
  };
}

/** Answers on all of `listen`: the services, its log's level, grpc.health.v1 and server reflection. */
export async function serve(options: ServeOptions): Promise<Served> {
  const { role, log } = options;
  const { health = createOwnHealth() } = options;
  for (const { name, isServing } of options.services) {
    if (isServing || health.state.getStatus(name) === 'unknown') health.set(isServing, name);
  }
  const reflection = reflectionServices(
    options.services.map((each) => each.name),
    options.descriptors,
  );
  const logLevel = service(LogServiceDefinition, logService(log));
  const stopping = createStopping();
  const servers: Server[] = [];
  const takeAway: (() => Promise<void>)[] = [];
  const takeBack: (() => void)[] = [];

  const maxMessage = options.maxMessage ?? maxMessageBytes;
  const middleware = composeServerMiddleware(
    composeServerMiddleware(contextMiddleware(stopping), loggingMiddleware(log)),
    errorMiddleware(role, log, stopping),
  );
  const healthService = service(HealthDefinition, HealthServiceImpl(health.state));
  const services = [...options.services, logLevel, healthService];
  const { neighbours } = options;
  const local = neighbours && createLocalServer(middleware, maxMessage);
  if (local) for (const each of services) each.addTo(local);

  const listen = async (endpoint: string): Promise<string> => {
    const server = createServer(serverOptions(maxMessage)).use(middleware);
    const overTheWire: Adding = {
      add: (definition, implementation) =>
        server.add(definition as CompatServiceDefinition & typeof definition, implementation),
    };
    for (const each of services) each.addTo(overTheWire);
    for (const each of reflection) server.add(each.definition, each.implementation);

    const address = parseListen(endpoint);
    const credentials = await serverCredentials(endpoint, address, options.tls);
    if (address.kind === 'unix') {
      takeAway.push(
        await placeSocket(address.path, options.group, (path) => server.listen(`unix:${path}`, credentials)),
      );
      servers.push(server);
      if (local) takeBack.push(neighbours.offer(endpoint, local));
      return endpoint;
    }
    const port = await server.listen(`${address.host}:${address.port}`, credentials);
    servers.push(server);
    return `dns:///${address.host}:${port}`;
  };

  const close = async () => {
    for (const withdraw of takeBack) withdraw();
    const drained = Promise.all([local?.idle(), ...servers.map((server) => server.shutdown())]);
    const within = (ms: number) => Promise.race([drained.then(() => true), delay(ms, false, { ref: false })]);
    try {
      if (await within(streamDrainMs)) return;
      stopping.abortStreams();
      if (await within(drainMs - streamDrainMs)) return;
      stopping.abortAll();
      if (await within(farewellMs)) return;
      log.warn('calls in progress are cut');
      local?.cut();
      for (const server of servers) server.forceShutdown();
    } finally {
      await Promise.all(takeAway.map((away) => away()));
    }
  };

  const endpoints: string[] = [];
  try {
    for (const endpoint of options.listen) endpoints.push(await listen(endpoint));
  } catch (error) {
    await close();
    throw error;
  }

  let stopped: Promise<void> | undefined;
  return {
    endpoints,
    stop() {
      stopped ??= close();
      return stopped;
    },
  };
}

function serverOptions(maxMessage: number) {
  return {
    'grpc.max_receive_message_length': maxMessage,
    'grpc.max_send_message_length': maxMessage,
    interceptors: [exposeDeadline],
  };
}

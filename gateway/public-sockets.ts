import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { parseListen, serverCredentials } from '../kit/rpc/endpoint.ts';
import { placeSocket } from '../kit/rpc/socket.ts';
import type { ServiceConfig, TlsFiles } from '../kit/service.ts';

export interface PublicSocket {
  /** Takes no more connections; those there are stay. */
  close(): Promise<void>;
}

/** Who may use the sockets, as long as nobody says otherwise and there is such a group. */
const usualGroup = 'docker';

/** Opens one socket that clients know. Connections keep their reading side when the other one ends, as attach needs it. */
export async function openSocket(
  config: ServiceConfig,
  endpoint: string,
  take: (socket: Socket) => void,
): Promise<PublicSocket> {
  const address = parseListen(endpoint);
  if (address.kind === 'unix') {
    const server = createServer({ allowHalfOpen: true }, take);
    const group = config.group ?? (await groupIfKnown(usualGroup));
    const takeAway = await placeSocket(address.path, group, (path) => listening(server, { path }));
    return {
      async close() {
        server.close();
        await takeAway();
      },
    };
  }
  // Refuses plain text beyond loopback.
  await serverCredentials(endpoint, address, config.tls);
  const server = config.tls === undefined ? plainServer(take) : await tlsServer(config.tls, take);
  await listening(server, { host: address.host.replace(/^\[|\]$/g, ''), port: address.port });
  return {
    async close() {
      server.close();
    },
  };
}

/** Opens and closes each, so that what is wrong with one is known before anything else is begun. */
export async function trySockets(config: ServiceConfig, endpoints: readonly string[]): Promise<void> {
  for (const endpoint of endpoints) {
    const socket = await openSocket(config, endpoint, (connection) => connection.destroy());
    await socket.close();
  }
}

const plainServer = (take: (socket: Socket) => void) => createServer({ allowHalfOpen: true, noDelay: true }, take);

async function tlsServer(tls: TlsFiles, take: (socket: Socket) => void): Promise<Server> {
  const [ca, cert, key] = await Promise.all([readFile(tls.ca), readFile(tls.cert), readFile(tls.key)]);
  const options = { ca, cert, key, requestCert: true, rejectUnauthorized: true };
  // Clients of both kinds that offer both mean REST.
  const ALPNProtocols = ['http/1.1', 'h2'];
  return createTlsServer({ ...options, ALPNProtocols, allowHalfOpen: true, noDelay: true }, take);
}

async function listening(server: Server, where: ListenOptions): Promise<void> {
  server.listen(where);
  await once(server, 'listening');
}

async function groupIfKnown(group: string): Promise<string | undefined> {
  const groups = await readFile('/etc/group', 'utf8');
  return groups.split('\n').some((line) => line.startsWith(`${group}:`)) ? group : undefined;
}

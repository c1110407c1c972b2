import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectPlain } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { clientCredentials, parseDial } from '../../kit/rpc/endpoint.ts';
import { endpointOf, type ServiceConfig, type TlsFiles } from '../../kit/service.ts';
import { errors } from '../errors.ts';
import type { Owner } from '../peers.ts';

/** Connections to the owners for calls that are passed on as they are. */
export interface Owners {
  /** Waits a while for an owner that is down. UNAVAILABLE, SERVICE_UNAVAILABLE when it stays so. */
  session(owner: Owner): Promise<ClientHttp2Session>;
  close(): void;
}

const waitForOwnerMs = 2000;
const retryMs = 50;
/** Bytes of one stream that may be under way; more only makes a slow reader's backlog longer. */
const streamWindow = 256 * 1024;

export function openOwners(config: ServiceConfig): Owners {
  const sessions = new Map<Owner, Promise<ClientHttp2Session>>();

  function open(owner: Owner): Promise<ClientHttp2Session> {
    const opening = connected(endpointOf(config, owner), config.tls);
    sessions.set(owner, opening);
    const forget = () => sessions.get(owner) === opening && sessions.delete(owner);
    opening.then((session) => session.on('close', forget).on('goaway', forget), forget);
    return opening;
  }

  return {
    async session(owner) {
      const giveUp = Date.now() + waitForOwnerMs;
      for (;;) {
        try {
          return await (sessions.get(owner) ?? open(owner));
        } catch (cause) {
          if (Date.now() > giveUp) {
            throw errors.serviceUnavailable({ service: owner, endpoint: endpointOf(config, owner) }, { cause });
          }
          await delay(retryMs);
        }
      }
    },
    close() {
      for (const opening of sessions.values())
        void opening.then(
          (session) => session.destroy(),
          () => {},
        );
    },
  };
}

function connected(endpoint: string, tls: TlsFiles | undefined): Promise<ClientHttp2Session> {
  const socket = socketTo(endpoint, tls);
  return new Promise((resolve, reject) => {
    const settings = { initialWindowSize: streamWindow, enablePush: false };
    const session = connect('http://owner', { createConnection: () => socket, settings });
    session.on('error', reject);
    session.on('close', () => reject(new Error(`${endpoint} closed the connection`)));
    session.once('connect', () => resolve(session));
  });
}

function socketTo(endpoint: string, tls: TlsFiles | undefined): Duplex {
  const address = parseDial(endpoint);
  if (address.kind === 'unix') return connectPlain(address.path);
  // Refuses plain text beyond loopback.
  clientCredentials(endpoint, address, tls);
  const host = address.host.replace(/^\[|\]$/g, '');
  const { port } = address;
  if (tls === undefined) return connectPlain({ host, port });
  const [ca, cert, key] = [tls.ca, tls.cert, tls.key].map((file) => readFileSync(file));
  return connectTls({ host, port, ca, cert, key, ALPNProtocols: ['h2'] });
}

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { checkServerIdentity as nameProblem, type PeerCertificate } from 'node:tls';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { defineErrors } from '../errors.ts';
import type { TlsFiles } from '../service.ts';

const errors = defineErrors('kit', {
  badEndpoint: {
    code: 'INVALID_ARGUMENT',
    message: (m: { endpoint: string; forms: string }) => `${m.endpoint} is not an endpoint: use ${m.forms}`,
  },
  plaintextBeyondLoopback: {
    code: 'INVALID_ARGUMENT',
    message: (m: { endpoint: string }) =>
      `${m.endpoint} would be readable on the network: give --tls-ca, --tls-cert and --tls-key, or use loopback or a unix socket`,
  },
});

export type Address = { kind: 'unix'; path: string } | { kind: 'tcp'; host: string; port: number };

/** `unix:///path` or `tcp://host:port`. */
export function parseListen(endpoint: string): Address {
  return parse(endpoint, /^tcp:\/\/(.+):(\d+)$/, 'unix:///path or tcp://host:port');
}

/** `unix:///path` or `dns:///host:port`. */
export function parseDial(endpoint: string): Address {
  return parse(endpoint, /^dns:\/\/\/(.+):(\d+)$/, 'unix:///path or dns:///host:port');
}

function parse(endpoint: string, tcp: RegExp, forms: string): Address {
  const path = /^unix:\/\/(\/.+)$/.exec(endpoint)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const [, host, port] = tcp.exec(endpoint) ?? [];
  if (host === undefined || port === undefined) throw errors.badEndpoint({ endpoint, forms });
  return { kind: 'tcp', host, port: Number(port) };
}

/** Mutual TLS when there are files for it; plain text on sockets and loopback; nothing else. */
export async function serverCredentials(
  endpoint: string,
  address: Address,
  tls?: TlsFiles,
): Promise<ServerCredentials> {
  if (address.kind === 'unix') return ServerCredentials.createInsecure();
  if (tls !== undefined) {
    const [ca, cert, key] = await Promise.all([readFile(tls.ca), readFile(tls.cert), readFile(tls.key)]);
    return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], true);
  }
  if (!isLoopback(address.host)) throw errors.plaintextBeyondLoopback({ endpoint });
  return ServerCredentials.createInsecure();
}

/** As serverCredentials, for the other end. */
export function clientCredentials(endpoint: string, address: Address, tls?: TlsFiles): ClientCredentials {
  if (address.kind === 'unix') return { credentials: ChannelCredentials.createInsecure(), options: {} };
  const { host } = address;
  if (tls === undefined) {
    if (!isLoopback(host)) throw errors.plaintextBeyondLoopback({ endpoint });
    return { credentials: ChannelCredentials.createInsecure(), options: {} };
  }
  // Node refuses an address as the server's name in TLS, where grpc-js puts it, so another name is sent there. The
  // certificate is still checked against the address that was dialled.
  const literal = host.replace(/^\[|\]$/g, '');
  const checkServerIdentity = (_name: string, certificate: PeerCertificate) => nameProblem(literal, certificate);
  return {
    credentials: ChannelCredentials.createSsl(readFileSync(tls.ca), readFileSync(tls.key), readFileSync(tls.cert), {
      checkServerIdentity,
    }),
    options: isIP(literal) === 0 ? {} : { 'grpc.ssl_target_name_override': 'longshore' },
  };
}

export interface ClientCredentials {
  credentials: ChannelCredentials;
  /** Channel options that belong to them. */
  options: { 'grpc.ssl_target_name_override'?: string };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { isIpv6, type PublishedPort, type Target } from './published-port.ts';

/**
 * A bound socket of the host: no other program can have the port, and one that has it already is noticed. The firewall
 * leads IPv4 traffic past the socket, straight to the sandbox. What comes to the socket all the same (IPv6, a host without
 * our rules, a flow older than they are) is passed on by it.
 */
export interface PortHolder {
  release(): void;
}

/** Binds, or throws Node's error: EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EACCES. */
export function holdPort(port: Omit<PublishedPort, 'containerPort'>, target: () => Target): Promise<PortHolder> {
  return port.protocol === 'tcp'
    ? holdTcp(port.hostIp, port.hostPort, target)
    : holdUdp(port.hostIp, port.hostPort, target);
}

/** A connection attempt to a sandbox on this host is answered at once or not at all. */
const connectTimeoutMs = 10_000;

async function holdTcp(host: string, port: number, target: () => Target): Promise<PortHolder> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const { address, port: targetPort } = target();
    const upstream = connect({ host: address, port: targetPort, allowHalfOpen: true });
    upstream.setTimeout(connectTimeoutMs, () => upstream.destroy());
    upstream.once('connect', () => upstream.setTimeout(0));
    for (const [here, there] of [[client, upstream] as const, [upstream, client] as const]) {
      open.add(here);
      // An error is always followed by 'close', which ends the other side.
      here.on('error', () => {});
      here.once('close', () => {
        open.delete(here);
        there.destroySoon();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen({ host, port, exclusive: true, ipv6Only: isIpv6(host) });
  await once(server, 'listening');
  server.on('error', () => {});
  return {
    release() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** As long as a conntrack entry of a UDP stream lives (nf_conntrack_udp_timeout_stream is 120 s), less a little. */
const udpIdleMs = 90_000;
/** One source of datagrams cannot take all descriptors of the service. */
const udpClientsMost = 1024;

async function holdUdp(host: string, port: number, target: () => Target): Promise<PortHolder> {
  const socket = createSocket({ type: isIpv6(host) ? 'udp6' : 'udp4', ipv6Only: isIpv6(host), reuseAddr: false });
  const clients = new Map<string, { upstream: UdpSocket; idle: NodeJS.Timeout }>();

  const forget = (key: string) => {
    const client = clients.get(key);
    clients.delete(key);
    clearTimeout(client?.idle);
    client?.upstream.close();
  };
  const clientOf = (from: RemoteInfo) => {
    const key = `${from.address} ${from.port}`;
    const known = clients.get(key);
    if (known !== undefined) {
      known.idle.refresh();
      return known;
    }
    const oldest = clients.keys().next().value;
    if (clients.size >= udpClientsMost && oldest !== undefined) forget(oldest);
    const upstream = createSocket('udp4');
    const made = { upstream, idle: setTimeout(() => forget(key), udpIdleMs).unref() };
    upstream.on('error', () => {});
    upstream.on('message', (datagram) => socket.send(datagram, from.port, from.address, () => {}));
    clients.set(key, made);
    return made;
  };

  socket.on('message', (datagram, from) => {
    const { address, port: targetPort } = target();
    clientOf(from).upstream.send(datagram, targetPort, address, () => {});
  });
  socket.bind({ address: host, port, exclusive: true });
  await once(socket, 'listening');
  socket.on('error', () => {});
  return {
    release() {
      socket.close();
      for (const key of [...clients.keys()]) forget(key);
    },
  };
}

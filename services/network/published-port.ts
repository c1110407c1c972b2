import { isIP } from 'node:net';

export type Protocol = 'tcp' | 'udp';

/** One port of the host that leads to one of a sandbox. */
export interface PublishedPort {
  protocol: Protocol;
  containerPort: number;
  /** An address of the host, `0.0.0.0` for all its IPv4 addresses, or `::` for all its IPv6 addresses. */
  hostIp: string;
  hostPort: number;
}

/** What the holder of a port passes its traffic on to. */
export interface Target {
  address: string;
  port: number;
}

export function isIpv6(address: string): boolean {
  return isIP(address) === 6;
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** True when no socket could be bound to one while another has the other. */
export function collides(
  one: Omit<PublishedPort, 'containerPort'>,
  other: Omit<PublishedPort, 'containerPort'>,
): boolean {
  if (one.protocol !== other.protocol || one.hostPort !== other.hostPort) return false;
  if (isIpv6(one.hostIp) !== isIpv6(other.hostIp)) return false;
  return one.hostIp === other.hostIp || isWildcard(one.hostIp) || isWildcard(other.hostIp);
}

/** `0.0.0.0:8080`, `[::]:8080`. */
export function hostAddress(port: Pick<PublishedPort, 'hostIp' | 'hostPort'>): string {
  return isIpv6(port.hostIp) ? `[${port.hostIp}]:${port.hostPort}` : `${port.hostIp}:${port.hostPort}`;
}

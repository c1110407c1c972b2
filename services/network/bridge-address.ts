import { type Cidr, networkOf, overlaps, parseAddress } from './cidr.ts';

const at = (dotted: string, prefix: number): Cidr => ({ address: parseAddress(dotted) ?? 0, prefix });

/**
 * Addresses the default bridge may have, best first: Docker's pools, which its users' firewalls and VPNs expect.
 * 172.17.0.1/16 to 172.31.0.1/16, then 192.168.0.1/20 to 192.168.240.1/20.
 */
export const candidates: readonly Cidr[] = [
  ...Array.from({ length: 15 }, (_, n) => at(`172.${17 + n}.0.1`, 16)),
  ...Array.from({ length: 16 }, (_, n) => at(`192.168.${16 * n}.1`, 20)),
];

/**
 * The first candidate that overlaps no network the host has a route to and no resolver it asks.
 * `preferred` (what the bridge had before) goes first. Undefined: all are in use.
 */
export function chooseBridgeAddress(
  routes: readonly Cidr[],
  nameservers: readonly number[],
  preferred?: Cidr,
): Cidr | undefined {
  // A default route overlaps everything and says nothing.
  const taken = [
    ...routes.filter((route) => route.prefix > 0).map(networkOf),
    ...nameservers.map((address) => ({ address, prefix: 32 })),
  ];
  const offered = preferred === undefined ? candidates : [preferred, ...candidates];
  return offered.find((candidate) => !taken.some((other) => overlaps(candidate, other)));
}

import type { Kernel } from './kernel.ts';
import { type ResolvConfPaths, readResolvers, readUsableServers } from './resolvers.ts';

/** What the host's network looks like. */
export function describeDefaultRoute(kernel: Kernel) {
  const route = kernel.rtnetlink.defaultRoute();
  if (route === undefined) return { interface: undefined, mtu: 0, gateway: '' };
  return { interface: route.interface, mtu: route.mtu, gateway: route.gateway ?? '' };
}

export function describeResolvers(paths: ResolvConfPaths) {
  return { ...readResolvers(paths), usableServers: readUsableServers(paths) };
}

import type { HostServiceImplementation } from '../../proto/gen/longshore/network/v1/host.ts';

export interface HostNetwork {
  /** Undefined: there is no default route. */
  defaultRoute: { interface: string; mtu: number; gateway: string } | undefined;
  servers: string[];
  search: string[];
  options: string[];
  usableServers: string[];
  /** Bridges that Init may be told to use. */
  bridges: string[];
}

export const usualHost: HostNetwork = {
  defaultRoute: { interface: 'eth0', mtu: 1500, gateway: '192.0.2.1' },
  servers: ['192.0.2.53'],
  search: [],
  options: [],
  usableServers: ['192.0.2.53'],
  bridges: ['br0'],
};

export function hostService(host: HostNetwork): HostServiceImplementation {
  return {
    getDefaultRoute: async () => host.defaultRoute ?? {},
    async getResolvers() {
      const { servers, search, options, usableServers } = host;
      return { servers, search, options, usableServers };
    },
  };
}

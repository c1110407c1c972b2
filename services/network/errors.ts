import { defineErrors } from '../../kit/errors.ts';

export const errors = defineErrors('network', {
  notInitialised: {
    code: 'FAILED_PRECONDITION',
    message: () => 'the network service is not initialised',
  },
  badRequest: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; problem: string }) => `${m.field}: ${m.problem}`,
  },
  badCidr: {
    code: 'INVALID_ARGUMENT',
    message: (m: { cidr: string }) =>
      `invalid CIDR address: ${m.cidr}: an IPv4 address of the bridge with its prefix length is needed, as 172.17.0.1/16`,
  },
  bridgeNotFound: {
    code: 'FAILED_PRECONDITION',
    message: (m: { bridge: string; problem: string }) => `bridge not found: ${m.bridge}: ${m.problem}`,
  },
  bridgeMismatch: {
    code: 'FAILED_PRECONDITION',
    message: (m: { address: string; found: string }) =>
      `bridge ip (${m.address}) does not match existing bridge configuration ${m.found}`,
  },
  bridgeForeign: {
    code: 'FAILED_PRECONDITION',
    message: (m: { bridge: string; owner: string }) =>
      `an interface ${m.bridge} exists and belongs to ${m.owner}: remove it, use it with --bridge ${m.bridge}, ` +
      'or choose another name for the default bridge',
  },
  bridgeInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { bridge: string; containers: number; wanted: string }) =>
      `bridge ${m.bridge} still has ${m.containers} running containers: stop them before changing to ${m.wanted}`,
  },
  noFreeSubnet: {
    code: 'FAILED_PRECONDITION',
    message: (m: { bridge: string }) =>
      `could not find a free IP address range for interface '${m.bridge}': ` +
      'every candidate overlaps a route or a resolver of this host; choose one with --bip',
  },
  firewallUnavailable: {
    code: 'FAILED_PRECONDITION',
    message: (m: { problem: string }) => `cannot set up the firewall rules: ${m.problem}`,
  },
  networkNotFound: {
    code: 'NOT_FOUND',
    message: (m: { network: string }) => `network ${m.network} not found`,
  },
  networkAmbiguous: {
    code: 'INVALID_ARGUMENT',
    message: (m: { network: string }) => `network ${m.network} is ambiguous: several ids start so`,
  },
  networkDisabled: {
    code: 'FAILED_PRECONDITION',
    message: (m: { network: string }) =>
      `network ${m.network} cannot be used: networking is disabled in this engine (--bridge none)`,
  },
  networkNotAttachable: {
    code: 'INVALID_ARGUMENT',
    message: (m: { network: string; driver: string }) =>
      `network ${m.network} has driver ${m.driver} and gives no endpoints: use that network mode instead`,
  },
  sandboxNotFound: {
    code: 'NOT_FOUND',
    message: (m: { sandbox: string }) => `no such sandbox: ${m.sandbox}`,
  },
  sandboxExists: {
    code: 'ALREADY_EXISTS',
    message: (m: { sandbox: string }) => `sandbox ${m.sandbox} exists with other content: remove it first`,
  },
  noAddressLeft: {
    code: 'RESOURCE_EXHAUSTED',
    message: (m: { subnet: string }) => `no available IPv4 addresses on this network's address pools: ${m.subnet}`,
  },
  addressTaken: {
    code: 'ALREADY_EXISTS',
    message: (m: { address: string; holder: string }) => `address ${m.address} is already in use by ${m.holder}`,
  },
  addressOutside: {
    code: 'INVALID_ARGUMENT',
    message: (m: { address: string; subnet: string }) =>
      `address ${m.address} is not one that a container can have in ${m.subnet}`,
  },
  noPortLeft: {
    code: 'RESOURCE_EXHAUSTED',
    message: (m: { ip: string; protocol: string; first: number; last: number }) =>
      `all ports are allocated: none of ${m.first}-${m.last}/${m.protocol} is free on ${m.ip}`,
  },
  portTaken: {
    code: 'ALREADY_EXISTS',
    message: (m: { ip: string; port: number; protocol: string; problem: string; holder?: string }) => m.problem,
  },
  hostAddressUnknown: {
    code: 'INVALID_ARGUMENT',
    message: (m: { ip: string; port: number; protocol: string }) =>
      `failed to bind host port for ${m.ip}:${m.port}/${m.protocol}: cannot assign requested address`,
  },
});

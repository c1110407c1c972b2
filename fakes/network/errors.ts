import { defineErrors } from '../../kit/errors.ts';

export const errors = defineErrors('network', {
  badCidr: { code: 'INVALID_ARGUMENT', message: (m: { cidr: string }) => `invalid CIDR address: ${m.cidr}` },
  bridgeNotFound: { code: 'FAILED_PRECONDITION', message: (m: { bridge: string }) => `bridge not found: ${m.bridge}` },
  badRequest: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; problem: string }) => `${m.field}: ${m.problem}`,
  },
  networkNotFound: { code: 'NOT_FOUND', message: (m: { network: string }) => `network ${m.network} not found` },
  networkAmbiguous: {
    code: 'INVALID_ARGUMENT',
    message: (m: { network: string }) => `network ${m.network} is ambiguous`,
  },
  networkDisabled: {
    code: 'FAILED_PRECONDITION',
    message: (m: { network: string }) => `network ${m.network} cannot be used: networking is disabled`,
  },
  networkNotAttachable: {
    code: 'INVALID_ARGUMENT',
    message: (m: { network: string }) => `network ${m.network} gives no endpoints`,
  },
  sandboxNotFound: { code: 'NOT_FOUND', message: (m: { sandbox: string }) => `no such sandbox: ${m.sandbox}` },
  sandboxExists: {
    code: 'ALREADY_EXISTS',
    message: (m: { sandbox: string }) => `sandbox ${m.sandbox} exists with other content`,
  },
  noAddressLeft: {
    code: 'RESOURCE_EXHAUSTED',
    message: (m: { subnet: string }) => `no address is left in ${m.subnet}`,
  },
  addressTaken: {
    code: 'ALREADY_EXISTS',
    message: (m: { address: string; holder: string }) => `address ${m.address} is in use by ${m.holder}`,
  },
  addressOutside: {
    code: 'INVALID_ARGUMENT',
    message: (m: { address: string; subnet: string }) => `address ${m.address} is not one of ${m.subnet}`,
  },
  noPortLeft: {
    code: 'RESOURCE_EXHAUSTED',
    message: (m: { first: number; last: number }) => `none of the ports ${m.first}-${m.last} is free`,
  },
  portTaken: {
    code: 'ALREADY_EXISTS',
    message: (m: { ip: string; port: number; protocol: string; holder: string }) =>
      `bind for ${m.ip}:${m.port} failed: port is already allocated by ${m.holder}`,
  },
});

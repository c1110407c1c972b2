import type { InitRequest } from '../../proto/gen/longshore/network/v1/control.ts';
import { errors } from './errors.ts';

/** The default bridge: its own address is the gateway of its subnet. Addresses are unsigned 32-bit numbers here. */
export interface Bridge {
  name: string;
  /** As `172.17.0.1/16`. */
  cidr: string;
  gateway: number;
  prefix: number;
}

/** Undefined: networking is disabled. */
export function chooseBridge(policy: InitRequest, existing: readonly string[]): Bridge | undefined {
  if (policy.disableNetwork) return undefined;
  const { bridge } = policy;
  if (bridge !== '' && !existing.includes(bridge)) throw errors.bridgeNotFound({ bridge });
  const cidr = policy.bip || '172.17.0.1/16';
  const [, text = '', length = ''] = /^([\d.]+)\/(\d+)$/.exec(cidr) ?? [];
  const gateway = parseAddress(text);
  const prefix = Number(length);
  if (gateway === undefined || length === '' || prefix > 30) throw errors.badCidr({ cidr });
  return { name: bridge || policy.bridgeName || 'longshore0', cidr, gateway, prefix };
}

export function parseAddress(text: string): number | undefined {
  const parts = text.split('.').map(Number);
  const isValid = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255);
  return isValid ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** The first address of the subnet and the one after its last. */
export function boundsOf({ gateway, prefix }: Bridge): { first: number; end: number } {
  const size = 2 ** (32 - prefix);
  const first = Math.floor(gateway / size) * size;
  return { first, end: first + size };
}

export function subnetOf(bridge: Bridge): string {
  return `${formatAddress(boundsOf(bridge).first)}/${bridge.prefix}`;
}

/** Docker's way: 02:42 and the address. */
export function macOf(address: number): string {
  const bytes = [24, 16, 8, 0].map((shift) => ((address >>> shift) & 255).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}

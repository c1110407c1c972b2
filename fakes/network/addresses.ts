import { type Bridge, boundsOf, parseAddress, subnetOf } from './bridge.ts';
import { errors } from './errors.ts';
import type { StoredSandbox } from './networks.ts';

/** The address asked for, or the lowest free one. NO_ADDRESS_LEFT, ADDRESS_TAKEN. */
export function addressFor(wanted: string, bridge: Bridge, standing: Iterable<StoredSandbox>): number {
  const taken = new Map<number, string>();
  for (const { sandbox } of standing) {
    for (const { ipv4Address } of sandbox.endpoints) taken.set(parseAddress(ipv4Address) ?? 0, sandbox.id);
  }
  const { first, end } = boundsOf(bridge);
  const isUsable = (address: number) => address > first && address < end - 1 && address !== bridge.gateway;
  if (wanted !== '') {
    const address = parseAddress(wanted);
    if (address === undefined) throw errors.badRequest({ field: 'ipv4_address', problem: `invalid: ${wanted}` });
    if (!isUsable(address)) throw errors.addressOutside({ address: wanted, subnet: subnetOf(bridge) });
    const holder = taken.get(address);
    if (holder !== undefined) throw errors.addressTaken({ address: wanted, holder });
    return address;
  }
  for (let address = first + 1; address < end - 1; address += 1) {
    if (isUsable(address) && !taken.has(address)) return address;
  }
  throw errors.noAddressLeft({ subnet: subnetOf(bridge) });
}

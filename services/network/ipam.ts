import type { Records } from '../../kit/records.ts';
import {
  type Cidr,
  contains,
  firstAddress,
  formatAddress,
  formatCidr,
  lastAddress,
  networkOf,
  parseAddress,
} from './cidr.ts';
import { errors } from './errors.ts';

/** A network's addresses and who has them. To be used within the transaction that records the sandbox. */
export interface Ipam {
  /**
   * Gives the next free address after the one given last, or the `requested` one. `gateway` is the bridge's own address
   * with the prefix of the network. NO_ADDRESS_LEFT, ADDRESS_TAKEN, ADDRESS_OUTSIDE.
   */
  allocate(networkId: string, gateway: Cidr, sandboxId: string, requested?: string): number;
  release(sandboxId: string): void;
}

export function createIpam(records: Records): Ipam {
  const holderOf = (networkId: string, address: number): string | undefined => {
    const row = records
      .prepare('SELECT sandbox_id FROM address WHERE network_id = ? AND address = ?')
      .get(networkId, address);
    return row && String(row.sandbox_id);
  };

  const nextFree = (networkId: string, gateway: Cidr): number => {
    const first = firstAddress(gateway) + 1;
    const size = lastAddress(gateway) - first;
    const row = records.prepare('SELECT address FROM last_address WHERE network_id = ?').get(networkId);
    const last = row === undefined ? -1 : Number(row.address) - first;
    // The subnet may be another one than when the last address was given.
    const start = last >= 0 && last < size ? last + 1 : 0;
    for (let step = 0; step < size; step++) {
      const address = first + ((start + step) % size);
      if (address !== gateway.address && holderOf(networkId, address) === undefined) return address;
    }
    throw errors.noAddressLeft({ subnet: formatCidr(networkOf(gateway)) });
  };

  const check = (networkId: string, gateway: Cidr, requested: string): number => {
    const address = parseAddress(requested);
    const isUsable =
      address !== undefined &&
      contains(gateway, address) &&
      ![firstAddress(gateway), lastAddress(gateway), gateway.address].includes(address);
    if (!isUsable) throw errors.addressOutside({ address: requested, subnet: formatCidr(networkOf(gateway)) });
    const holder = holderOf(networkId, address);
    if (holder !== undefined) throw errors.addressTaken({ address: formatAddress(address), holder });
    return address;
  };

  return {
    allocate(networkId, gateway, sandboxId, requested) {
      const address = requested === undefined ? nextFree(networkId, gateway) : check(networkId, gateway, requested);
      records.prepare('INSERT INTO address VALUES (?, ?, ?)').run(networkId, address, sandboxId);
      if (requested === undefined) {
        records
          .prepare('INSERT INTO last_address VALUES (?1, ?2) ON CONFLICT (network_id) DO UPDATE SET address = ?2')
          .run(networkId, address);
      }
      return address;
    },
    release(sandboxId) {
      records.prepare('DELETE FROM address WHERE sandbox_id = ?').run(sandboxId);
    },
  };
}

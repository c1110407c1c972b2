import type { Records } from '../../kit/records.ts';
import type { Bridge } from './bridge.ts';
import { formatCidr, parseCidr } from './cidr.ts';

/** The bridge that this engine has, or was about to make when it was last heard of. */
export interface BridgeRecord {
  find(): Bridge | undefined;
  keep(bridge: Bridge): void;
  delete(): void;
}

export function createBridgeRecord(records: Records): BridgeRecord {
  return {
    find() {
      const row = records.prepare('SELECT name, address, is_ours FROM bridge').get();
      const gateway = row && parseCidr(String(row.address));
      if (row === undefined || gateway === undefined) return undefined;
      return { name: String(row.name), gateway, isOurs: row.is_ours === 1 };
    },
    keep({ name, gateway, isOurs }) {
      records
        .prepare('INSERT OR REPLACE INTO bridge (only, name, address, is_ours) VALUES (1, ?, ?, ?)')
        .run(name, formatCidr(gateway), isOurs ? 1 : 0);
    },
    delete() {
      records.prepare('DELETE FROM bridge').run();
    },
  };
}

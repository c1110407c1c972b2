import { isIPv6 } from 'node:net';
import { libc } from './libc.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;

export type IpFamily = typeof AF_INET | typeof AF_INET6;

/** An address in network byte order: 4 or 16 bytes. Throws a RangeError for what isn't an address. */
export function ipToBytes(address: string): { readonly family: IpFamily; readonly bytes: Buffer } {
  const family = isIPv6(address) ? AF_INET6 : AF_INET;
  const bytes = Buffer.alloc(family === AF_INET6 ? 16 : 4);
  if (libc.inet_pton(family, address, bytes) !== 1)
    throw new RangeError(`not an IP address: ${JSON.stringify(address)}`);
  return { family, bytes };
}

/** `10.0.0.1` or `fd00::1` (in RFC 5952's form). */
export function bytesToIp(bytes: Buffer): string {
  const text = Buffer.alloc(46); // INET6_ADDRSTRLEN
  libc.inet_ntop(bytes.length === 16 ? AF_INET6 : AF_INET, bytes, text, text.length);
  return text.toString('latin1', 0, text.indexOf(0));
}

/** `02:42:0a:00:00:01` as six bytes. Throws a RangeError for anything else. */
export function macToBytes(mac: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw new RangeError(`not a MAC address: ${JSON.stringify(mac)}`);
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

export function bytesToMac(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

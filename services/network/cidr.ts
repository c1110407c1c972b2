/** IPv4 addresses are unsigned 32-bit numbers in here: `172.17.0.1` is 0xac110001. */
export interface Cidr {
  /** With its host bits, as an interface has it. */
  address: number;
  /** Bits of the network part, 0–32. */
  prefix: number;
}

/** The number of an address in dotted form, or undefined when it is none. */
export function parseAddress(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  let address = 0;
  for (const part of text.split('.')) {
    const byte = Number(part);
    if (byte > 255) return undefined;
    address = address * 256 + byte;
  }
  return address;
}

export function formatAddress(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** Four bytes in network order. */
export function addressBytes(address: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(address);
  return bytes;
}

/** `172.17.0.1/16` with its host bits kept, or undefined. */
export function parseCidr(text: string): Cidr | undefined {
  const [dotted = '', bits = '', ...rest] = text.split('/');
  const address = parseAddress(dotted);
  if (address === undefined || rest.length > 0 || !/^\d{1,2}$/.test(bits)) return undefined;
  const prefix = Number(bits);
  return prefix > 32 ? undefined : { address, prefix };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.address)}/${cidr.prefix}`;
}

function sizeOf(cidr: Cidr): number {
  return 2 ** (32 - cidr.prefix);
}

/** The network's first address: all host bits zero. */
export function firstAddress(cidr: Cidr): number {
  return cidr.address - (cidr.address % sizeOf(cidr));
}

/** The network's last address, its broadcast address. */
export function lastAddress(cidr: Cidr): number {
  return firstAddress(cidr) + sizeOf(cidr) - 1;
}

/** The network itself, without host bits. */
export function networkOf(cidr: Cidr): Cidr {
  return { address: firstAddress(cidr), prefix: cidr.prefix };
}

export function contains(cidr: Cidr, address: number): boolean {
  return address >= firstAddress(cidr) && address <= lastAddress(cidr);
}

export function overlaps(one: Cidr, other: Cidr): boolean {
  return contains(one, firstAddress(other)) || contains(other, firstAddress(one));
}

/** Locally administered MAC made of the address, as Docker makes it: `02:42:ac:11:00:02`. */
export function macOf(address: number): string {
  const hex = address.toString(16).padStart(8, '0');
  return `02:42:${hex.replace(/..(?!$)/g, '$&:')}`;
}

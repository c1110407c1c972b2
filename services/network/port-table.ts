import { readFileSync } from 'node:fs';
import { errors } from './errors.ts';
import { holdPort, type PortHolder } from './port-holder.ts';
import { collides, hostAddress, isIpv6, type Protocol, type PublishedPort, type Target } from './published-port.ts';

/** One `-p`. */
export interface WantedPort {
  protocol: Protocol;
  containerPort: number;
  /** All of these at the same port. */
  hostIps: readonly WantedAddress[];
  /** 0: any of the ephemeral range. */
  firstHostPort: number;
  lastHostPort: number;
}

export interface WantedAddress {
  hostIp: string;
  /** Left out where the host has no such family: `::` beside `0.0.0.0`. */
  isOptional: boolean;
}

/** The host's ports that sandboxes have. A port is held from `take` until `release`, whatever is awaited in between. */
export interface PortTable {
  /**
   * Finds and holds a port for each wish. All or none. PORT_TAKEN, NO_PORT_LEFT.
   * `targetAddress` is asked for when traffic comes, `containerName` names the holder in later refusals.
   */
  take(
    owner: string,
    containerName: string,
    wanted: readonly WantedPort[],
    targetAddress: () => string,
  ): Promise<PublishedPort[]>;
  /** Holds again what an owner had before this process. Returns those that another program has taken meanwhile. */
  adopt(
    owner: string,
    containerName: string,
    ports: readonly PublishedPort[],
    targetAddress: string,
  ): Promise<PublishedPort[]>;
  release(owner: string): void;
  /** Lets go of every socket; for the end of the process. */
  close(): void;
}

interface Entry {
  owner: string;
  containerName: string;
  port: PublishedPort;
  holder: PortHolder | undefined;
}

export interface PortRange {
  first: number;
  last: number;
  reserved: ReadonlySet<number>;
}

const noSuchFamily = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

export function createPortTable(
  readRange: () => PortRange = readEphemeralRange,
  hold: typeof holdPort = holdPort,
): PortTable {
  const entries = new Set<Entry>();
  const lastGiven = new Map<Protocol, number>();

  const ownerOf = (port: PublishedPort) => [...entries].find((entry) => collides(entry.port, port));

  /** Holds one number on all addresses asked for; undoes what it held when one of them fails. */
  async function takeNumber(
    owner: string,
    containerName: string,
    wish: WantedPort,
    hostPort: number,
    targetAddress: () => string,
  ) {
    const taken: Entry[] = [];
    const undo = () => taken.forEach(drop);
    for (const { hostIp, isOptional } of wish.hostIps) {
      const port = { protocol: wish.protocol, containerPort: wish.containerPort, hostIp, hostPort };
      const other = ownerOf(port);
      if (other !== undefined) {
        undo();
        throw portTaken(port, `Bind for ${hostAddress(port)} failed: port is already allocated`, other);
      }
      const entry: Entry = { owner, containerName, port, holder: undefined };
      entries.add(entry);
      taken.push(entry);
      try {
        const target = (): Target => ({ address: targetAddress(), port: wish.containerPort });
        entry.holder = await hold(port, target);
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        if (isOptional && noSuchFamily.has(code)) {
          drop(entry);
          taken.pop();
          continue;
        }
        undo();
        throw refusal(port, targetAddress(), code, error);
      }
    }
    return taken.map((entry) => entry.port);
  }

  function drop(entry: Entry): void {
    entries.delete(entry);
    entry.holder?.release();
  }

  async function takeOne(owner: string, containerName: string, wish: WantedPort, targetAddress: () => string) {
    const isFixed = wish.firstHostPort !== 0;
    const { first, last, reserved } = isFixed
      ? { first: wish.firstHostPort, last: wish.lastHostPort, reserved: new Set<number>() }
      : readRange();
    const size = last - first + 1;
    const before = isFixed ? first - 1 : (lastGiven.get(wish.protocol) ?? first - 1);
    for (let step = 0; step < size; step++) {
      const hostPort = first + ((((before + 1 - first) % size) + size + step) % size);
      if (reserved.has(hostPort)) continue;
      if (!isFixed) lastGiven.set(wish.protocol, hostPort);
      try {
        return await takeNumber(owner, containerName, wish, hostPort, targetAddress);
      } catch (error) {
        if (size === 1 || !isTaken(error)) throw error;
      }
    }
    throw errors.noPortLeft({ ip: wish.hostIps[0]?.hostIp ?? '', protocol: wish.protocol, first, last });
  }

  const table: PortTable = {
    async take(owner, containerName, wanted, targetAddress) {
      const ports: PublishedPort[] = [];
      try {
        // Fixed ones first, so that a port of any number doesn't take theirs.
        const order = [...wanted.entries()].sort(
          ([, a], [, b]) => Number(a.firstHostPort === 0) - Number(b.firstHostPort === 0),
        );
        const found: PublishedPort[][] = [];
        for (const [index, wish] of order) found[index] = await takeOne(owner, containerName, wish, targetAddress);
        ports.push(...found.flat());
      } catch (error) {
        table.release(owner);
        throw error;
      }
      return ports;
    },
    async adopt(owner, containerName, ports, targetAddress) {
      const lost: PublishedPort[] = [];
      await Promise.all(
        ports.map(async (port) => {
          const entry: Entry = { owner, containerName, port, holder: undefined };
          entries.add(entry);
          try {
            const holder = await hold(port, () => ({ address: targetAddress, port: port.containerPort }));
            if (entries.has(entry)) entry.holder = holder;
            else holder.release();
          } catch {
            lost.push(port);
          }
        }),
      );
      return lost;
    },
    release(owner) {
      for (const entry of entries) if (entry.owner === owner) drop(entry);
    },
    close() {
      for (const entry of entries) drop(entry);
    },
  };
  return table;
}

function portTaken(port: PublishedPort, problem: string, holder?: Entry) {
  return errors.portTaken({
    ip: port.hostIp,
    port: port.hostPort,
    protocol: port.protocol,
    problem,
    ...(holder && { holder: holder.containerName === '' ? holder.owner : holder.containerName }),
  });
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'reason' in error && error.reason === 'PORT_TAKEN';
}

const words: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EACCES: 'permission denied',
};

function refusal(port: PublishedPort, targetAddress: string, code: string, cause: unknown): unknown {
  const { hostIp: ip, hostPort, protocol } = port;
  if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') {
    return errors.hostAddressUnknown({ ip: isIpv6(ip) ? `[${ip}]` : ip, port: hostPort, protocol }, { cause });
  }
  const problem = words[code];
  if (problem === undefined) return cause;
  const what = `failed to bind host port for ${hostAddress(port)}:${targetAddress}:${port.containerPort}/${protocol}: ${problem}`;
  return portTaken(port, what);
}

/** The kernel's ephemeral range (Documentation/networking/ip-sysctl.rst), without what the administrator keeps for himself. */
export function readEphemeralRange(): PortRange {
  const read = (name: string) => readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim();
  const [first = 32768, last = 60999] = read('ip_local_port_range').split(/\s+/).map(Number);
  return { first, last, reserved: parsePortSet(read('ip_local_reserved_ports')) };
}

/** `8080,9000-9002`. */
export function parsePortSet(text: string): Set<number> {
  const ports = new Set<number>();
  for (const part of text.split(',').filter((piece) => piece !== '')) {
    const [from = 0, to = from] = part.split('-').map(Number);
    for (let port = from; port <= to; port++) ports.add(port);
  }
  return ports;
}

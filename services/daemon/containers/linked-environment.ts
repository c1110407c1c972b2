import type { LinkedContainer } from './linked.ts';
import type { ContainerRecord } from './record.ts';

type Linked = Pick<LinkedContainer, 'alias' | 'address'> & { child: Pick<ContainerRecord, 'config'> };

interface Port {
  port: number;
  protocol: string;
}

/** What a build leaves in the environment, which says nothing about the container. */
const passedOver = ['HOME', 'PATH'];

/**
 * The variables by which Docker tells a container of one that it is linked to: `DB_PORT` with the lowest exposed port,
 * `DB_PORT_5432_TCP` and its parts for each, `_START` and `_END` for a run of several, `DB_NAME`, and `DB_ENV_…` for what the
 * other's environment has.
 */
export function linkedEnvironment(parent: string, linked: readonly Linked[]): string[] {
  return linked.flatMap(({ alias, child, address }) => {
    const prefix = alias.toUpperCase().replaceAll('-', '_');
    const ports = child.config.exposedPorts.map(portOf).sort(byNumber);
    const [lowest] = ports;
    const url = ({ port, protocol }: Port) => `${protocol}://${address}:${port}`;
    const name = ({ port, protocol }: Port) => `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    const runs = runsOf(ports).flatMap(({ first, last }) => [
      `${name(first)}_START=${url(first)}`,
      `${name(first)}_ADDR=${address}`,
      `${name(first)}_PROTO=${first.protocol}`,
      `${name(first)}_PORT_START=${first.port}`,
      `${prefix}_PORT_${first.port}_${last.protocol.toUpperCase()}_END=${url(last)}`,
      `${prefix}_PORT_${first.port}_${last.protocol.toUpperCase()}_PORT_END=${last.port}`,
    ]);
    const each = ports.flatMap((port) => [
      `${name(port)}=${url(port)}`,
      `${name(port)}_ADDR=${address}`,
      `${name(port)}_PORT=${port.port}`,
      `${name(port)}_PROTO=${port.protocol}`,
    ]);
    const own = child.config.env.filter((entry) => {
      const cut = entry.indexOf('=');
      return cut >= 0 && !passedOver.includes(entry.slice(0, cut));
    });
    return [
      ...(lowest === undefined ? [] : [`${prefix}_PORT=${url(lowest)}`]),
      ...runs,
      ...each,
      `${prefix}_NAME=/${parent}/${alias}`,
      ...own.map((entry) => `${prefix}_ENV_${entry}`),
    ];
  });
}

/** `80`, `80/tcp`. */
function portOf(text: string): Port {
  const [port, protocol = 'tcp'] = text.toLowerCase().split('/');
  return { port: Number(port), protocol };
}

/** Of two with one number TCP goes first. */
function byNumber(one: Port, other: Port): number {
  return one.port - other.port || Number(other.protocol === 'tcp') - Number(one.protocol === 'tcp');
}

/** Neighbouring numbers, at least two of them. */
function runsOf(ports: readonly Port[]): { first: Port; last: Port }[] {
  const runs: { first: Port; last: Port }[] = [];
  for (const port of ports) {
    const run = runs.at(-1);
    if (run !== undefined && port.port <= run.last.port + 1) run.last = port;
    else runs.push({ first: port, last: port });
  }
  return runs.filter(({ first, last }) => last !== first);
}

import type { HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { PortRequest } from '../../../proto/gen/longshore/network/v1/sandbox.ts';
import { errors } from '../errors.ts';

export interface Port {
  protocol: string;
  port: number;
}

/** `80`, `80/tcp`, `53/udp`. */
export function parsePort(text: string): Port {
  const [, digits = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/([a-z]+))?$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port < 1 || port > 65_535) {
    throw errors.badConfig({ field: 'port_bindings', problem: `invalid port specification: "${text}"` });
  }
  if (!['tcp', 'udp'].includes(protocol.toLowerCase())) {
    throw errors.badConfig({ field: 'port_bindings', problem: `unsupported protocol: "${text}": use tcp or udp` });
  }
  return { port, protocol: protocol.toLowerCase() };
}

/** What to publish: the bindings, and with `publishAllPorts` each exposed port that has none. Those that are named go first. */
export function planPorts(host: HostConfig, exposed: readonly string[]): PortRequest[] {
  const bound = Object.entries(host.portBindings).flatMap(([name, { bindings }]) => {
    const { port, protocol } = parsePort(name);
    return bindings.map(({ hostIp, hostPort }) => ({
      protocol,
      containerPort: port,
      hostIp,
      ...hostRange(hostPort),
    }));
  });
  const open = host.publishAllPorts ? exposed.map(parsePort) : [];
  const unbound = open.filter(
    ({ port, protocol }) => !bound.some((one) => one.containerPort === port && one.protocol === protocol),
  );
  return [
    ...bound,
    ...unbound.map(({ port, protocol }) => ({
      protocol,
      containerPort: port,
      hostIp: '',
      hostPort: 0,
      hostPortEnd: 0,
    })),
  ].sort(order);
}

function hostRange(text: string): { hostPort: number; hostPortEnd: number } {
  if (text === '' || text === '0') return { hostPort: 0, hostPortEnd: 0 };
  const [, first = '', last = ''] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const hostPort = Number(first);
  const hostPortEnd = Number(last);
  const isRange = last !== '';
  if (hostPort < 1 || hostPort > 65_535 || hostPortEnd > 65_535 || (isRange && hostPortEnd < hostPort)) {
    throw errors.badConfig({ field: 'port_bindings', problem: `invalid port specification: "${text}"` });
  }
  return { hostPort, hostPortEnd };
}

function order(one: PortRequest, other: PortRequest): number {
  const named = Number(other.hostPort > 0) - Number(one.hostPort > 0);
  return named || one.containerPort - other.containerPort || one.protocol.localeCompare(other.protocol);
}

import { isIP } from 'node:net';
import type { PortBinding, PortRequest } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { errors } from './errors.ts';
import type { StoredSandbox } from './networks.ts';

/** Linux' default net.ipv4.ip_local_port_range. */
const ephemeral = { first: 32768, last: 60999 };

/** A binding for each port asked for; in memory only, no socket is bound. PORT_TAKEN, NO_PORT_LEFT. */
export function bindPorts(
  wanted: readonly PortRequest[],
  defaultIp: string,
  standing: Iterable<StoredSandbox>,
): PortBinding[] {
  const taken = [...standing].flatMap(({ sandbox, request }) =>
    sandbox.ports.map((port) => ({ port, holder: request.containerName.replace(/^\//, '') || sandbox.id })),
  );
  return wanted.map((request, index) => {
    check(request, `ports[${index}]`);
    const hostIp = request.hostIp || defaultIp || '0.0.0.0';
    const { protocol, containerPort } = request;
    const isRange = request.hostPort === 0 || request.hostPortEnd > request.hostPort;
    const first = request.hostPort || ephemeral.first;
    const last = request.hostPort === 0 ? ephemeral.last : request.hostPortEnd || request.hostPort;
    for (let hostPort = first; hostPort <= last; hostPort += 1) {
      const binding = { protocol, containerPort, hostIp, hostPort };
      const collision = taken.find(({ port }) => collides(port, binding));
      if (collision === undefined) {
        taken.push({ port: binding, holder: 'this sandbox' });
        return binding;
      }
      if (!isRange) throw errors.portTaken({ ip: hostIp, port: hostPort, protocol, holder: collision.holder });
    }
    throw errors.noPortLeft({ first, last });
  });
}

function check(request: PortRequest, field: string): void {
  const { protocol, containerPort, hostPort, hostPortEnd, hostIp } = request;
  const isPort = (port: number) => port >= 1 && port <= 65535;
  const refuse = (problem: string) => errors.badRequest({ field, problem });
  if (protocol !== 'tcp' && protocol !== 'udp') throw refuse(`${protocol} cannot be published`);
  if (!isPort(containerPort)) throw refuse(`invalid container port: ${containerPort}`);
  if (hostPort !== 0 && !isPort(hostPort)) throw refuse(`invalid host port: ${hostPort}`);
  if (hostPortEnd !== 0 && (hostPort === 0 || hostPortEnd < hostPort || !isPort(hostPortEnd))) {
    throw refuse(`invalid range: ${hostPort}-${hostPortEnd}`);
  }
  if (hostIp !== '' && isIP(hostIp) === 0) throw refuse(`invalid IP address: ${hostIp}`);
}

/** True when no socket could be bound to one while another has the other. */
function collides(one: PortBinding, other: PortBinding): boolean {
  if (one.protocol !== other.protocol || one.hostPort !== other.hostPort) return false;
  if (isIP(one.hostIp) !== isIP(other.hostIp)) return false;
  return one.hostIp === other.hostIp || [one.hostIp, other.hostIp].some((ip) => ip === '0.0.0.0' || ip === '::');
}

import { isIP } from 'node:net';
import {
  type CreateSandboxRequest,
  type HostEntry,
  SandboxMode,
} from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { parseAddress } from './cidr.ts';
import { errors } from './errors.ts';

/** The name in extra hosts that means this host, as seen from the sandbox. */
export const hostGateway = 'host-gateway';

const isId = (text: string) => /^[0-9a-f]{64}$/.test(text);
/** What stands in a line of resolv.conf or hosts as one word, and only there. */
const isWord = (text: string) => /^[^\s#;\p{Cc}]{1,255}$/u.test(text);
const isMac = (text: string) => /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(text);
const modes: readonly number[] = [
  SandboxMode.SANDBOX_MODE_ENDPOINTS,
  SandboxMode.SANDBOX_MODE_NONE,
  SandboxMode.SANDBOX_MODE_HOST,
];
const isMode = (mode: number) => modes.includes(mode);
const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65535;

function demand(isRight: boolean, field: string, problem: string): void {
  if (!isRight) throw errors.badRequest({ field, problem });
}

/** Refuses what cannot be meant, naming the field. */
export function checkSandboxRequest(request: CreateSandboxRequest): void {
  demand(isId(request.id), 'id', '64 hex digits are needed');
  demand(isMode(request.mode), 'mode', 'choose one');
  const isAttached = request.mode === SandboxMode.SANDBOX_MODE_ENDPOINTS;
  demand(isAttached || request.endpoints.length === 0, 'endpoints', 'only a sandbox of mode ENDPOINTS has them');
  checkEndpoints(request);
  checkPorts(request);
  checkNames(request);
}

function checkEndpoints({ endpoints }: CreateSandboxRequest): void {
  for (const [index, endpoint] of endpoints.entries()) {
    const field = `endpoints[${index}]`;
    demand(endpoint.network !== '', `${field}.network`, 'a name or an id is needed');
    const { ipv4Address, macAddress } = endpoint;
    demand(
      ipv4Address === '' || parseAddress(ipv4Address) !== undefined,
      `${field}.ipv4_address`,
      `invalid IPv4 address: ${ipv4Address}`,
    );
    demand(
      macAddress === '' || isMac(macAddress),
      `${field}.mac_address`,
      `invalid unicast MAC address: ${macAddress}`,
    );
    for (const alias of endpoint.aliases) demand(isWord(alias), `${field}.aliases`, `invalid name: ${alias}`);
  }
}

function checkPorts({ ports }: CreateSandboxRequest): void {
  for (const [index, port] of ports.entries()) {
    const field = `ports[${index}]`;
    demand(
      port.protocol === 'tcp' || port.protocol === 'udp',
      `${field}.protocol`,
      `${port.protocol} cannot be published, only tcp and udp`,
    );
    demand(isPort(port.containerPort), `${field}.container_port`, `invalid port: ${port.containerPort}`);
    demand(port.hostPort === 0 || isPort(port.hostPort), `${field}.host_port`, `invalid port: ${port.hostPort}`);
    const { hostPort, hostPortEnd } = port;
    const isRange = hostPortEnd === 0 || (hostPort !== 0 && isPort(hostPortEnd) && hostPortEnd >= hostPort);
    demand(isRange, `${field}.host_port_end`, `invalid range: ${hostPort}-${hostPortEnd}`);
    demand(port.hostIp === '' || isIP(port.hostIp) !== 0, `${field}.host_ip`, `invalid IP address: ${port.hostIp}`);
  }
}

function checkNames(request: CreateSandboxRequest): void {
  demand(request.hostname === '' || isWord(request.hostname), 'hostname', `invalid name: ${request.hostname}`);
  demand(request.domainname === '' || isWord(request.domainname), 'domainname', `invalid name: ${request.domainname}`);
  for (const server of request.dnsServers) demand(isIP(server) !== 0, 'dns_servers', `invalid IP address: ${server}`);
  for (const domain of request.dnsSearch) demand(isWord(domain), 'dns_search', `invalid domain: ${domain}`);
  for (const option of request.dnsOptions) demand(isWord(option), 'dns_options', `invalid option: ${option}`);
  checkExtraHosts(request.extraHosts);
}

export function checkExtraHosts(extraHosts: readonly HostEntry[]): void {
  for (const { address, names } of extraHosts) {
    const isKnown = address === hostGateway || isIP(address) !== 0;
    demand(isKnown, 'extra_hosts', `invalid IP address in add-host: ${JSON.stringify(address)}`);
    for (const name of names) demand(isWord(name), 'extra_hosts', `invalid name: ${name}`);
  }
}

import type { CreateSandboxRequest, Sandbox } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import type { Policy } from './engine.ts';
import type { PortMapping } from './firewall-rules.ts';
import type { WantedPort } from './port-table.ts';
import type { Protocol } from './published-port.ts';

/** The ports that stand, with the address they lead to. */
export function mappingsOf(sandbox: Sandbox): PortMapping[] {
  const targetAddress = sandbox.endpoints[0]?.ipv4Address;
  if (targetAddress === undefined) return [];
  return sandbox.ports.map((port) => ({ ...port, protocol: port.protocol as Protocol, targetAddress }));
}

/** The ports asked for, with every address of the host they are to be at. */
export function wantedPorts(request: CreateSandboxRequest, policy: Policy): WantedPort[] {
  const usual = policy.defaultBindingIp === '' ? '0.0.0.0' : policy.defaultBindingIp;
  return request.ports.map((port) => ({
    protocol: port.protocol as Protocol,
    containerPort: port.containerPort,
    firstHostPort: port.hostPort,
    lastHostPort: Math.max(port.hostPort, port.hostPortEnd),
    hostIps: [
      { hostIp: port.hostIp === '' ? usual : port.hostIp, isOptional: false },
      // As Docker has it: what is open to all is open to IPv6 too, where the host has it.
      ...(port.hostIp === '' && usual === '0.0.0.0' ? [{ hostIp: '::', isOptional: true }] : []),
    ],
  }));
}

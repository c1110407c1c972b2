import { type Cidr, formatCidr, networkOf } from './cidr.ts';
import { isIpv6, type PublishedPort } from './published-port.ts';

/** What the rules are made from. */
export interface FirewallPlan {
  /** The nft table; one an engine. */
  table: string;
  /** Ours carry it, so that people know whose they are. */
  mark: string;
  bridge: string;
  /** The bridge's address. */
  gateway: Cidr;
  /** Containers may talk to each other. */
  icc: boolean;
  /** False for a bridge of the user's: what else hangs on it is not ours to close. */
  isOurs: boolean;
}

/** A published port with the address that it leads to. */
export interface PortMapping extends PublishedPort {
  targetAddress: string;
}

/** Everything, in place of whatever the table holds now, in one transaction of the kernel. */
export function tableRules(plan: FirewallPlan, ports: readonly PortMapping[]): string {
  const { table, bridge } = plan;
  const subnet = formatCidr(networkOf(plan.gateway));
  return `
add table ip ${table}
delete table ip ${table}
table ip ${table} {
  comment "${plan.mark}"
  map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map ports_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }

  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 drop comment "ports published on the loopback are for this host alone"
  }
  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @ports_at
    dnat ip to meta l4proto . th dport map @ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump publish
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade
    oifname "${bridge}" ip saddr ${subnet} ct status dnat masquerade
    oifname != "${bridge}" ip saddr ${subnet} masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    oifname "${bridge}" jump to_bridge
  }
  chain to_bridge {
    ct state established,related accept
    ct status dnat accept
${plan.isOurs ? closingRules(plan) : ''}  }
}
${publishRules(table, ports)}`;
}

function closingRules({ bridge, icc }: FirewallPlan): string {
  return `    iifname "${bridge}" ${icc ? 'accept' : 'drop'}
    drop comment "from outside only to published ports"
`;
}

export function removalRules(table: string): string {
  return `add table ip ${table}\ndelete table ip ${table}\n`;
}

/** IPv6 ports are served by their holders. */
function byFirewall(ports: readonly PortMapping[]): PortMapping[] {
  return ports.filter((port) => !isIpv6(port.hostIp));
}

export function publishRules(table: string, ports: readonly PortMapping[]): string {
  return byFirewall(ports)
    .map((port) => {
      const { map, key } = elementOf(port);
      return `add element ip ${table} ${map} { ${key} : ${port.targetAddress} . ${port.containerPort} }\n`;
    })
    .join('');
}

export function unpublishRules(table: string, ports: readonly PortMapping[]): string {
  return byFirewall(ports)
    .map((port) => {
      const { map, key } = elementOf(port);
      return `delete element ip ${table} ${map} { ${key} }\n`;
    })
    .join('');
}

function elementOf({ hostIp, protocol, hostPort }: PortMapping): { map: string; key: string } {
  const key = `${protocol} . ${hostPort}`;
  return hostIp === '0.0.0.0' ? { map: 'ports', key } : { map: 'ports_at', key: `${hostIp} . ${key}` };
}

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { createNetworkNamespaces, type NetworkNamespaces } from '../../kit/linux/namespaces.ts';
import { createNftables, type Nftables } from '../../kit/linux/nftables.ts';
import { createRtnetlink, type Rtnetlink } from '../../kit/linux/rtnetlink.ts';
import { createSysctls, type Sysctls } from '../../kit/linux/sysctls.ts';
import { endUdpFlowsTo } from './conntrack.ts';

export type PacketFilter = Pick<Nftables, 'run' | 'generation'>;

/** All that this service asks of the kernel. */
export interface Kernel {
  namespaces: NetworkNamespaces;
  rtnetlink: Rtnetlink;
  /** Opened when first needed: an engine with --iptables=false runs where there is none. */
  nftables: PacketFilter;
  /** Those under `net` are of the namespace that the thread is in. */
  sysctls: Sysctls;
  /** Ends the UDP flows that lead to an address. */
  endUdpFlowsTo(address: Buffer): void;
  /** Runs iptables(8); undefined where there is none. Rejects with what it said. */
  iptables: ((args: readonly string[]) => Promise<string>) | undefined;
}

const iptablesPaths = ['/usr/sbin/iptables', '/sbin/iptables', '/usr/bin/iptables', '/usr/local/sbin/iptables'];
const iptablesTimeoutMs = 10_000;

/** `sysctlRoot`: in a container /proc/sys may be read-only, and the writable one of the host be mounted elsewhere. */
export function createKernel(sysctlRoot?: string): Kernel {
  const path = iptablesPaths.find(existsSync);
  const run = promisify(execFile);
  return {
    namespaces: createNetworkNamespaces(),
    rtnetlink: createRtnetlink(),
    nftables: openedLater(createNftables),
    sysctls: createSysctls(sysctlRoot),
    endUdpFlowsTo,
    iptables:
      path === undefined
        ? undefined
        : async (args) => (await run(path, [...args], { timeout: iptablesTimeoutMs, env: { LC_ALL: 'C' } })).stdout,
  };
}

function openedLater(open: () => Nftables): PacketFilter {
  let opened: Nftables | undefined;
  const filter = () => {
    opened ??= open();
    return opened;
  };
  return {
    run: (commands) => filter().run(commands),
    generation: () => filter().generation(),
  };
}

/** Writes only what is another value: a read-only /proc/sys does no harm where all is as wanted. */
export function setSysctl(kernel: Kernel, name: string, value: string): void {
  if (kernel.sysctls.read(name) !== value) kernel.sysctls.write(name, value);
}

import type { Logger } from '../../kit/log.ts';
import { type Bridge, ensureBridge, removeBridge, routeLocalhost } from './bridge.ts';
import type { BridgeRecord } from './bridge-record.ts';
import { parseAddress } from './cidr.ts';
import { type Engine, firewallPlanOf, markOf, type Policy } from './engine.ts';
import { errors } from './errors.ts';
import { type Firewall, tableName } from './firewall.ts';
import type { PortMapping } from './firewall-rules.ts';
import { acceptForwarding, forwardComment, withdrawForwarding } from './forward-chain.ts';
import { type Kernel, setSysctl } from './kernel.ts';
import { type ResolvConfPaths, readResolvers } from './resolvers.ts';

/** What the engine needs of the host as a whole: the default bridge, forwarding, rules. */
export interface HostNetwork {
  /** Makes it so, or repairs it. A first set-up that fails leaves nothing; of a later one, what stood before stands. */
  setUp(engineId: string, policy: Policy, attachedCount: number, ports: readonly PortMapping[]): Promise<SetUp>;
  /** Makes the interfaces with these aliases ports of the bridge, as the policy now wants them. */
  joinBridge(engine: Engine, marks: ReadonlySet<string>): void;
  /** Takes away everything of ours, goes on after an error, and returns what was left. */
  takeAway(engineId: string): Promise<string[]>;
}

export interface SetUp {
  engine: Engine;
  /** For the user, one line each. */
  warnings: string[];
}

export interface HostNetworkContext {
  kernel: Kernel;
  firewall: Firewall;
  bridgeRecord: BridgeRecord;
  resolvConf: ResolvConfPaths;
  log: Logger;
}

export function createHostNetwork(context: HostNetworkContext): HostNetwork {
  const { kernel, firewall, bridgeRecord } = context;

  function bridgeFor(engineId: string, policy: Policy, attachedCount: number): Bridge {
    const before = bridgeRecord.find();
    const mark = markOf(engineId, 'bridge');
    const name = policy.bridge === '' ? policy.bridgeName : policy.bridge;
    if (before !== undefined && before.name !== name) {
      if (attachedCount > 0) throw errors.bridgeInUse({ bridge: before.name, containers: attachedCount, wanted: name });
      if (before.isOurs) removeBridge(kernel, before.name, mark);
    }
    const wanted = { existing: policy.bridge, name: policy.bridgeName, address: policy.bip, mtu: policy.mtu };
    return ensureBridge(kernel, wanted, {
      mark,
      before: before?.isOurs === true ? before.gateway : undefined,
      nameservers: readResolvers(context.resolvConf)
        .servers.map(parseAddress)
        .filter((address) => address !== undefined),
      isInUse: attachedCount > 0,
      intend: bridgeRecord.keep,
    });
  }

  async function applyRules(engine: Engine, ports: readonly PortMapping[], warnings: string[]): Promise<void> {
    const plan = firewallPlanOf(engine);
    const { bridge } = engine;
    if (plan === undefined || bridge === undefined) {
      await withoutRules(engine.id);
      return;
    }
    firewall.rebuild(plan, ports);
    attempt(warnings, 'ports published on localhost are reachable by the other addresses only', () =>
      routeLocalhost(kernel, bridge, true),
    );
    try {
      await acceptForwarding(kernel, bridge.name, forwardComment(engine.id));
    } catch (error) {
      warnings.push(`another firewall may drop what containers send: ${wordsOf(error)}`);
    }
  }

  /** Rules of an earlier policy. Where nothing can be set up, nothing was. */
  async function withoutRules(engineId: string): Promise<void> {
    try {
      firewall.remove(tableName(engineId));
      await withdrawForwarding(kernel, forwardComment(engineId));
    } catch (error) {
      context.log.debug({ err: error }, 'no rules could be removed');
    }
  }

  const hostNetwork: HostNetwork = {
    async setUp(engineId, policy, attachedCount, ports) {
      const warnings: string[] = [];
      if (policy.disableNetwork) {
        if (attachedCount > 0) {
          const bridge = bridgeRecord.find()?.name ?? '';
          throw errors.bridgeInUse({ bridge, containers: attachedCount, wanted: 'none' });
        }
        await hostNetwork.takeAway(engineId);
        return { engine: { id: engineId, policy, bridge: undefined }, warnings };
      }
      const isFirst = bridgeRecord.find() === undefined;
      try {
        const bridge = bridgeFor(engineId, policy, attachedCount);
        const engine = { id: engineId, policy, bridge };
        if (policy.ipForward) {
          attempt(warnings, 'unable to enable IPv4 forwarding', () => setSysctl(kernel, 'net/ipv4/ip_forward', '1'));
        }
        await applyRules(engine, ports, warnings);
        return { engine, warnings };
      } catch (error) {
        if (isFirst) await hostNetwork.takeAway(engineId);
        throw error;
      }
    },

    joinBridge({ bridge, policy }, marks) {
      if (bridge === undefined || marks.size === 0) return;
      const links = kernel.rtnetlink.links();
      const master = links.find((link) => link.name === bridge.name)?.index;
      for (const { name, kind, alias, master: present } of links) {
        if (kind !== 'veth' || alias === undefined || !marks.has(alias)) continue;
        const isolated = !policy.icc;
        // Somebody may have deleted the bridge; its ports stayed, without one.
        if (present !== master) kernel.rtnetlink.apply({ kind: 'set link', name, master: bridge.name });
        kernel.rtnetlink.apply({ kind: 'set link', name, isolated });
      }
    },

    async takeAway(engineId) {
      const problems: string[] = [];
      const bridge = bridgeRecord.find();
      if (bridge !== undefined && !bridge.isOurs) {
        attempt(problems, `interface ${bridge.name}`, () => routeLocalhost(kernel, bridge, false));
      }
      await withdrawForwarding(kernel, forwardComment(engineId)).catch((error: unknown) => {
        problems.push(`rules of the FORWARD chain: ${wordsOf(error)}`);
      });
      if (bridge !== undefined) {
        attempt(problems, 'firewall table', () => firewall.remove(tableName(engineId)));
        attempt(problems, `bridge ${bridge.name}`, () => removeBridge(kernel, bridge.name, markOf(engineId, 'bridge')));
      }
      if (problems.length === 0) bridgeRecord.delete();
      return problems;
    },
  };
  return hostNetwork;
}

function attempt(problems: string[], what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    problems.push(`${what}: ${wordsOf(error)}`);
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}

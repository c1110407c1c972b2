import { errors } from './errors.ts';
import {
  type FirewallPlan,
  type PortMapping,
  publishRules,
  removalRules,
  tableRules,
  unpublishRules,
} from './firewall-rules.ts';
import type { Kernel } from './kernel.ts';

/** The engine's nft table: who may talk to whom, and the published ports. */
export interface Firewall {
  /** Makes the whole table anew, in one step; what passes meanwhile sees the old one or the new one. */
  rebuild(plan: FirewallPlan, ports: readonly PortMapping[]): void;
  /** Adds ports. When somebody has flushed the table it is made anew with `all`. */
  publish(plan: FirewallPlan, ports: readonly PortMapping[], all: () => readonly PortMapping[]): void;
  unpublish(plan: FirewallPlan, ports: readonly PortMapping[], rest: () => readonly PortMapping[]): void;
  /** True when our chains stand with their rules. */
  isIntact(plan: FirewallPlan): boolean;
  remove(table: string): void;
}

/** `longshore_` and enough of the engine's id to be its own. */
export function tableName(engineId: string): string {
  return `longshore_${engineId.slice(0, 12)}`;
}

export function createFirewall(kernel: Kernel): Firewall {
  /** Of the rules when a table was last seen intact: nobody has changed any since. */
  let seen: { table: string; generation: number } | undefined;
  const rebuild = (plan: FirewallPlan, ports: readonly PortMapping[]) => {
    try {
      kernel.nftables.run(tableRules(plan, ports));
    } catch (error) {
      throw unavailable(error);
    }
  };
  const change = (rules: string, otherwise: () => void) => {
    if (rules === '') return;
    try {
      kernel.nftables.run(rules);
    } catch {
      otherwise();
    }
  };
  return {
    rebuild,
    publish: (plan, ports, all) => change(publishRules(plan.table, ports), () => rebuild(plan, all())),
    unpublish: (plan, ports, rest) => change(unpublishRules(plan.table, ports), () => rebuild(plan, rest())),
    isIntact(plan) {
      const { table } = plan;
      try {
        const generation = kernel.nftables.generation();
        if (seen?.table === table && seen.generation === generation) return true;
        const isThere = kernel.nftables.run(`list chain ip ${table} postrouting\n`).includes('masquerade');
        seen = isThere ? { table, generation } : undefined;
        return isThere;
      } catch {
        return false;
      }
    },
    remove(table) {
      try {
        kernel.nftables.run(removalRules(table));
      } catch (error) {
        throw unavailable(error);
      }
    },
  };
}

function unavailable(error: unknown) {
  const problem = error instanceof Error ? error.message : String(error);
  return errors.firewallUnavailable({ problem }, { cause: error });
}

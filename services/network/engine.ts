import type { InitRequest } from '../../proto/gen/longshore/network/v1/control.ts';
import type { Bridge } from './bridge.ts';
import { tableName } from './firewall.ts';
import type { FirewallPlan } from './firewall-rules.ts';

/** What Init says, fence apart. */
export type Policy = Omit<InitRequest, 'fence'>;

/** The default bridge with the policy for it. */
export interface Attached {
  bridge: Bridge;
  policy: Policy;
}

/** Whom this service works for since the last Init. */
export interface Engine {
  id: string;
  policy: Policy;
  /** Undefined: networking is disabled, containers have `none` and `host` only. */
  bridge: Bridge | undefined;
}

/** The sign of ownership of an object in the kernel. */
export function markOf(engineId: string, object: string): string {
  return `longshore:${engineId}:${object}`;
}

export function attachedOf(engine: Engine): Attached | undefined {
  return engine.bridge && { bridge: engine.bridge, policy: engine.policy };
}

/** Undefined where there are no rules to keep. */
export function firewallPlanOf(engine: Engine): FirewallPlan | undefined {
  const { bridge, policy } = engine;
  if (bridge === undefined || !policy.iptables) return undefined;
  return {
    table: tableName(engine.id),
    mark: markOf(engine.id, 'rules'),
    bridge: bridge.name,
    gateway: bridge.gateway,
    icc: policy.icc,
    isOurs: bridge.isOurs,
  };
}

import { randomInt } from 'node:crypto';
import type { ControlServiceDefinition, InitRequest } from '../../proto/gen/longshore/network/v1/control.ts';
import type { NetworkServiceDefinition } from '../../proto/gen/longshore/network/v1/network.ts';
import { SandboxMode, type SandboxServiceDefinition } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { newId, type Session } from '../common/session.ts';
import type { WireClient } from '../common/wire.ts';

export type Policy = Partial<Omit<InitRequest, 'fence'>>;

/** The initialised implementation; to be asked for within a test. */
export type Current = () => {
  control: WireClient<typeof ControlServiceDefinition>;
  networks: WireClient<typeof NetworkServiceDefinition>;
  sandboxes: WireClient<typeof SandboxServiceDefinition>;
  session: Session;
  /** Init as the next coordinator, by the suite's policy with these changes. */
  reinit(changes?: Policy): Promise<unknown>;
};

export const attached = (wish: { ipv4Address?: string } = {}) => ({
  id: newId(),
  mode: SandboxMode.SANDBOX_MODE_ENDPOINTS,
  endpoints: [{ network: 'bridge', ...wish }],
  containerName: `/c${randomInt(1_000_000)}`,
});

/** A port that nothing else is likely to have. */
export function newPort(): number {
  return randomInt(20_000, 29_000);
}

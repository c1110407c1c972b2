import { type CreateSandboxRequest, SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import type { Policy } from './engine.ts';
import { publicServers, type ResolvConfPaths, type Resolvers, readResolvers, readUsableServers } from './resolvers.ts';

type Wishes = Pick<CreateSandboxRequest, 'mode' | 'dnsServers' | 'dnsSearch' | 'dnsOptions'>;

/** What the sandbox's resolv.conf says: the container's wishes, else the engine's, else the host's as far as it can be reached. */
export function resolversFor(request: Wishes, policy: Policy, paths: ResolvConfPaths): Resolvers {
  const host = readResolvers(paths);
  const first = (...lists: readonly string[][]) => lists.find((list) => list.length > 0) ?? [];
  // In the host's own namespace its loopback resolver answers.
  const inherited = () => (request.mode === SandboxMode.SANDBOX_MODE_HOST ? host.servers : readUsableServers(paths));
  return {
    servers: first(request.dnsServers, policy.dnsServers, inherited(), [...publicServers]),
    search: first(request.dnsSearch, policy.dnsSearch, host.search),
    options: first(request.dnsOptions, policy.dnsOptions, host.options),
  };
}

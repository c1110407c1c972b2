import { hostname as nameOfHost } from 'node:os';
import { type CreateSandboxRequest, type Sandbox, SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { formatAddress } from './cidr.ts';
import type { Engine } from './engine.ts';
import { errors } from './errors.ts';
import type { ResolvConfPaths } from './resolvers.ts';
import { type FilesContent, type HostsContent, type HostsEntry, hostsOfHost, loopbackHosts } from './sandbox-files.ts';
import { hostGateway } from './sandbox-request.ts';
import { resolversFor } from './sandbox-resolvers.ts';

/** What the files of a sandbox say. */
export function contentOf(
  request: CreateSandboxRequest,
  sandbox: Sandbox,
  engine: Engine,
  paths: ResolvConfPaths,
): FilesContent {
  return {
    resolvers: resolversFor(request, engine.policy, paths),
    hostname: request.hostname === '' ? nameOfHost() : request.hostname,
    ...hostsContentOf(request, sandbox, engine),
  };
}

export function hostsContentOf(request: CreateSandboxRequest, sandbox: Sandbox, engine: Engine): HostsContent {
  return {
    hostsBase: request.mode === SandboxMode.SANDBOX_MODE_HOST ? hostsOfHost() : loopbackHosts,
    hosts: hostsOf(request, sandbox, engine),
  };
}

function hostsOf(request: CreateSandboxRequest, sandbox: Sandbox, engine: Engine): HostsEntry[] {
  const { bridge } = engine;
  const extra = request.extraHosts.map(({ address, names }) => {
    if (address !== hostGateway) return { address, names };
    if (bridge === undefined) {
      throw errors.badRequest({
        field: 'extra_hosts',
        problem: `${hostGateway} has no address here: networking is disabled`,
      });
    }
    return { address: formatAddress(bridge.gateway.address), names };
  });
  const { hostname, domainname } = request;
  const own = sandbox.endpoints.map((endpoint) => {
    const full = domainname === '' || hostname === '' ? [] : [`${hostname}.${domainname}`];
    const names = [...full, ...(hostname === '' ? [] : [hostname]), ...endpoint.aliases];
    return { address: endpoint.ipv4Address, names: [...new Set(names)] };
  });
  return [...extra, ...own].filter((entry) => entry.names.length > 0);
}

import { join } from 'node:path';
import { rootOf } from '../../kit/id-maps.ts';
import { pinNetworkNamespace } from '../../kit/linux/user-namespaces.ts';
import { addressBytes, parseAddress } from './cidr.ts';
import { attach, prepareNamespace } from './endpoint.ts';
import { type Engine, firewallPlanOf, markOf } from './engine.ts';
import type { Firewall } from './firewall.ts';
import type { PortMapping } from './firewall-rules.ts';
import type { Kernel } from './kernel.ts';
import type { ResolvConfPaths } from './resolvers.ts';
import { contentOf, hostsContentOf } from './sandbox-content.ts';
import { filesOf, removeFiles, rewriteHosts, type SandboxFiles, writeFiles } from './sandbox-files.ts';
import { mappingsOf } from './sandbox-ports.ts';
import type { SandboxRecord } from './sandbox-records.ts';

/** What a sandbox is in the kernel and on disk: namespace, interfaces, rules, files. Quick, and in one go. */
export interface SandboxStack {
  namespacePath(id: string): string;
  filePaths(id: string): SandboxFiles;
  /** Makes the namespace of a sandbox that belongs to a user namespace; for others there is nothing to do. */
  prepare(record: SandboxRecord, engine: Engine): Promise<void>;
  /** Throws with part of it made. `others` are the ports of all other sandboxes. */
  build(record: SandboxRecord, engine: Engine, others: () => PortMapping[]): void;
  /** The hosts file says again what the record does. */
  rewriteHosts(record: SandboxRecord, engine: Engine): void;
  /** Removes whatever there is, goes on after an error, and throws all of them. */
  remove(record: SandboxRecord, engine: Engine | undefined, others: () => PortMapping[]): void;
  /** True when the kernel still has what was built. */
  stands(record: SandboxRecord): boolean;
}

export interface StackContext {
  kernel: Kernel;
  firewall: Firewall;
  resolvConf: ResolvConfPaths;
  bootId: string;
  /** Namespaces are pinned in here. */
  netnsDirectory: string;
  /** Where the user namespace of containers is pinned, when Init has id maps. */
  userNamespacePath: string;
  /** The files of each sandbox are in a directory of its id in here. */
  filesDirectory: string;
}

export function createSandboxStack(context: StackContext): SandboxStack {
  const { kernel, firewall, bootId } = context;
  const filesDirectory = (id: string) => join(context.filesDirectory, id);

  function connect({ sandbox }: SandboxRecord, engine: Engine): void {
    for (const [index, endpoint] of sandbox.endpoints.entries()) {
      attach(kernel, {
        id: endpoint.id,
        namespacePath: sandbox.namespacePath,
        mark: markOf(engine.id, endpoint.id),
        bridge: engine.bridge?.name ?? '',
        interface: endpoint.interface,
        macAddress: endpoint.macAddress,
        address: `${endpoint.ipv4Address}/${endpoint.ipv4Prefix}`,
        gateway: endpoint.ipv4Gateway,
        isDefaultRoute: index === 0,
        mtu: engine.policy.mtu,
        isIsolated: !engine.policy.icc,
        isHairpin: sandbox.ports.length > 0,
      });
    }
  }

  function publish({ sandbox }: SandboxRecord, engine: Engine, others: () => PortMapping[]): void {
    const plan = firewallPlanOf(engine);
    if (plan === undefined || sandbox.endpoints.length === 0) return;
    const ports = mappingsOf(sandbox);
    const all = () => [...others(), ...ports];
    // Somebody may have flushed the rules of the whole host; without them nothing leaves the bridge.
    if (!firewall.isIntact(plan)) firewall.rebuild(plan, all());
    else firewall.publish(plan, ports, all);
  }

  function withdraw(record: SandboxRecord, engine: Engine | undefined, others: () => PortMapping[]): void {
    const plan = engine && firewallPlanOf(engine);
    const ports = mappingsOf(record.sandbox);
    if (plan === undefined || ports.length === 0 || record.bootId !== bootId) return;
    // Of a half made one some ports may not be there to be taken out one by one.
    if (record.state === 'ready') firewall.unpublish(plan, ports, others);
    else firewall.rebuild(plan, others());
  }

  function endFlows({ sandbox, bootId: boot }: SandboxRecord): void {
    if (boot !== bootId || !sandbox.ports.some((port) => port.protocol === 'udp')) return;
    for (const endpoint of sandbox.endpoints) {
      kernel.endUdpFlowsTo(addressBytes(parseAddress(endpoint.ipv4Address) ?? 0));
    }
  }

  return {
    namespacePath: (id) => join(context.netnsDirectory, id),
    filePaths: (id) => filesOf(filesDirectory(id)),
    async prepare({ spec, sandbox }, engine) {
      if (engine.policy.idMaps === undefined || spec.hostIds || sandbox.namespacePath === '') return;
      await pinNetworkNamespace(sandbox.namespacePath, context.userNamespacePath);
    },
    build(record, engine, others) {
      const { id, spec, sandbox } = record;
      if (sandbox.namespacePath !== '') {
        kernel.namespaces.create(sandbox.namespacePath);
        prepareNamespace(kernel, sandbox.namespacePath);
      }
      connect(record, engine);
      const owner = rootOf(spec.hostIds ? undefined : engine.policy.idMaps);
      writeFiles(filesDirectory(id), contentOf(spec, sandbox, engine, context.resolvConf), owner);
      publish(record, engine, others);
    },
    rewriteHosts: ({ id, spec, sandbox }, engine) =>
      rewriteHosts(filesDirectory(id), hostsContentOf(spec, sandbox, engine)),
    remove(record, engine, others) {
      const { id, sandbox } = record;
      const problems = collect([
        () => withdraw(record, engine, others),
        () => endFlows(record),
        () => sandbox.namespacePath !== '' && kernel.namespaces.remove(sandbox.namespacePath),
        () => removeFiles(filesDirectory(id)),
      ]);
      if (problems.length === 1) throw problems[0];
      if (problems.length > 1) throw new AggregateError(problems, `sandbox ${id} is not wholly taken down`);
    },
    stands: ({ sandbox, ...record }) =>
      record.bootId === bootId && (sandbox.namespacePath === '' || kernel.namespaces.exists(sandbox.namespacePath)),
  };
}

/** Does all of it, whatever fails, and returns the errors. */
function collect(actions: readonly (() => unknown)[]): unknown[] {
  const problems: unknown[] = [];
  for (const action of actions) {
    try {
      action();
    } catch (error) {
      problems.push(error);
    }
  }
  return problems;
}

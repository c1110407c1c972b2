import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hostBootId, openControl } from '../../kit/control.ts';
import { openRecords } from '../../kit/records.ts';
import { createOwnHealth } from '../../kit/rpc/health.ts';
import { serve, service } from '../../kit/rpc/serve.ts';
import type { Running, ServiceConfig } from '../../kit/service.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/network/v1/control.ts';
import { HostServiceDefinition } from '../../proto/gen/longshore/network/v1/host.ts';
import { NetworkServiceDefinition } from '../../proto/gen/longshore/network/v1/network.ts';
import { SandboxServiceDefinition } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { createBridgeRecord } from './bridge-record.ts';
import { createNetworkControl } from './control.ts';
import { createFirewall } from './firewall.ts';
import { createHostNetwork } from './host-network.ts';
import { createIpam } from './ipam.ts';
import { createKernel, type Kernel } from './kernel.ts';
import { openNetworkEvents } from './network-events.ts';
import { openNetworks } from './networks.ts';
import { createPortTable } from './port-table.ts';
import { migrations } from './records.ts';
import { createRemains } from './remains.ts';
import { hostResolvConf, type ResolvConfPaths } from './resolvers.ts';
import { controlService, hostService, networkService, sandboxService } from './rpc.ts';
import { createSandboxRecords } from './sandbox-records.ts';
import { createSandboxStack } from './sandbox-stack.ts';
import { createSandboxes } from './sandboxes.ts';
import { createVethSweeper } from './veth-sweeper.ts';

/** What a test puts in the host's place. */
export interface Surroundings {
  kernel?: Kernel;
  resolvConf?: ResolvConfPaths;
  bootId?: string;
}

export async function start(config: ServiceConfig, surroundings: Surroundings = {}): Promise<Running> {
  const { log } = config;
  const sysctlRoot = config.flags.sysctlRoot;
  const kernel = surroundings.kernel ?? createKernel(typeof sysctlRoot === 'string' ? sysctlRoot : undefined);
  const resolvConf = surroundings.resolvConf ?? hostResolvConf;
  const bootId = surroundings.bootId ?? hostBootId();
  const netnsDirectory = join(config.execRoot, 'netns');
  const userNamespacePath = join(config.execRoot, 'userns');
  const filesDirectory = join(config.execRoot, 'sandboxes');
  for (const directory of [netnsDirectory, filesDirectory]) mkdirSync(directory, { recursive: true, mode: 0o711 });

  const records = openRecords(join(config.dataRoot, 'network', 'records.db'), { migrations });
  const firewall = createFirewall(kernel);
  const sandboxRecords = createSandboxRecords(records);
  const networks = openNetworks(records);
  const ports = createPortTable();
  const events = openNetworkEvents(records);
  const sweeper = createVethSweeper(kernel, log);
  const control = openControl(records, { bootId });

  const health = createOwnHealth();
  const networkControl = createNetworkControl({
    control,
    hostNetwork: createHostNetwork({ kernel, firewall, bridgeRecord: createBridgeRecord(records), resolvConf, log }),
    sandboxes: () => sandboxes,
    ports,
    sweeper,
    userNamespacePath,
    remains: createRemains({ kernel, sweeper, netnsDirectory, filesDirectory, log }),
    log,
    setServing: (isServing) => health.set(isServing, SandboxServiceDefinition, NetworkServiceDefinition),
  });
  const sandboxes = createSandboxes({
    records,
    sandboxRecords,
    networks,
    ipam: createIpam(records),
    ports,
    stack: createSandboxStack({
      kernel,
      firewall,
      resolvConf,
      bootId,
      netnsDirectory,
      filesDirectory,
      userNamespacePath,
    }),
    events,
    sweeper,
    log,
    bootId,
    engine: networkControl.engine,
    needEngine: networkControl.needEngine,
  });

  await networkControl.resume();
  const served = await serve({
    ...config,
    services: [
      service(ControlServiceDefinition, controlService({ config, control, networkControl, userNamespacePath }), {
        serving: true,
      }),
      service(HostServiceDefinition, hostService(kernel, resolvConf), { serving: true }),
      service(NetworkServiceDefinition, networkService({ networks, networkControl, sandboxes, events })),
      service(SandboxServiceDefinition, sandboxService(sandboxes, networkControl)),
    ],
    health,
  });

  return {
    async stop() {
      await served.stop();
      sweeper.stop();
      ports.close();
      records.close();
    },
  };
}

import { messageOf } from '../../../kit/errors.ts';
import type { MountPoint } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import type { ContainerProcess } from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import type { Sandbox } from '../../../proto/gen/longshore/network/v1/sandbox.ts';
import { errors } from '../errors.ts';
import { insist, together } from './insist.ts';
import type { Lifecycle } from './lifecycle.ts';
import { linkedContainers, linkedHosts } from './linked.ts';
import { linkedEnvironment } from './linked-environment.ts';
import { hasHostIds, joinedContainer, planSandbox } from './network-plan.ts';
import { type Prepared, processSpec } from './process-spec.ts';
import { type ContainerRecord, isAlive } from './record.ts';

/** What a container has while it runs. */
export interface Running {
  process: ContainerProcess;
  /** Undefined when it shares another container's. */
  sandbox: Sandbox | undefined;
  files: Pick<Prepared, 'resolvConfPath' | 'hostsPath' | 'hostnamePath'>;
}

/** `host`: who has another's network has its name. */
type Network = Pick<Running, 'sandbox' | 'files'> & {
  namespacePath: string;
  linkedEnv: readonly string[];
  host: { hostname?: string; domainname?: string };
};

/**
 * The effects of a start: (mount ∥ sandbox ∥ volumes) → process. What is there already, of a start that was cut short, is
 * used. When it throws, all that it began has ended, and the caller gives it back.
 */
export async function bringUp(lifecycle: Lifecycle, record: ContainerRecord): Promise<Running> {
  const { graphdriver, execdriver } = lifecycle.engine.clients;
  const { id, generation } = record;
  const volumePaths = new Map<string, string>();
  let rootPath = '';
  const { facts } = lifecycle.engine;
  const hostIds = hasHostIds(record, facts);
  checkDevices(record);
  checkJoined(lifecycle, record);
  const joining = joinNetwork(lifecycle, record);

  const mounted = insist((options) => graphdriver.layers.mountLayer({ id, holder: id, hostIds }, options)).then(
    ({ path }) => {
      rootPath = path;
    },
  );
  await together(
    mounted,
    joining,
    ...volumesOf(record).map(async (point) => {
      // A volume that may be empty is filled from the image, and that needs the image's files.
      const isFilled = record.volumesFilled || point.noCopy;
      if (!isFilled) await mounted;
      volumePaths.set(point.name, await mountVolume(lifecycle, record, point, isFilled ? '' : rootPath));
    }),
    generation > 1
      ? insist((options) => execdriver.processes.removeContainer({ id, keepLogs: true }, options))
      : undefined,
  );
  const { sandbox, files, namespacePath, linkedEnv, host } = await joining;
  const userNamespacePath = hostIds ? '' : facts.network.userNamespacePath;
  const prepared = { rootPath, namespacePath, userNamespacePath, volumePaths, linkedEnv, ...files };
  const spec = processSpec(
    { ...record, config: { ...record.config, ...host } },
    prepared,
    lifecycle.engine.facts.defaults,
  );
  const { process } = await insist((options) => execdriver.processes.startContainer({ id, generation, spec }, options));
  if (process === undefined) throw new Error('the exec driver started a process and did not say which');
  return { process, sandbox, files };
}

function volumesOf(record: ContainerRecord): MountPoint[] {
  return record.mounts.filter(({ type }) => type === 'volume');
}

async function mountVolume(
  lifecycle: Lifecycle,
  { id }: ContainerRecord,
  point: MountPoint,
  containerRoot: string,
): Promise<string> {
  const { volumes } = lifecycle.engine.clients.volume;
  const request = {
    name: point.name,
    holder: id,
    containerRoot,
    destination: point.destination,
    noCopy: containerRoot === '',
  };
  return (await insist((options) => volumes.mountVolume(request, options))).path;
}

/** No driver of devices by what they can do is here. */
function checkDevices({ hostConfig }: ContainerRecord): void {
  const request = hostConfig.deviceRequests[0];
  if (request === undefined) return;
  const capabilities = request.capabilities.map(({ values }) => `[${values.join(' ')}]`);
  throw errors.deviceDriverMissing({ driver: request.driver, capabilities: `[${capabilities.join(' ')}]` });
}

/** Whose namespaces are to be shared is there; that he runs is for the exec driver to see. */
function checkJoined({ repository }: Lifecycle, { hostConfig }: ContainerRecord): void {
  const { networkMode, pidMode, ipcMode } = hostConfig;
  for (const [field, mode, what] of [
    ['network_mode', networkMode, 'joining network namespace of container'],
    ['pid_mode', pidMode, 'failed to join PID namespace'],
    ['ipc_mode', ipcMode, 'failed to join IPC namespace'],
  ] as const) {
    if (!mode.startsWith('container:')) continue;
    try {
      repository.find(mode.slice('container:'.length));
    } catch (cause) {
      throw errors.badConfig({ field, problem: `${what}: ${messageOf(cause)}` }, { cause });
    }
  }
}

async function joinNetwork(lifecycle: Lifecycle, record: ContainerRecord): Promise<Network> {
  const reference = joinedContainer(record);
  if (reference !== undefined) {
    const other = lifecycle.repository.find(reference);
    if (!isAlive(other)) throw errors.joinedNotRunning({ container: other.id });
    const { resolvConfPath, hostsPath, hostnamePath } = other;
    return {
      sandbox: undefined,
      namespacePath: other.network.sandboxPath,
      linkedEnv: [],
      files: { resolvConfPath, hostsPath, hostnamePath },
      host: { hostname: other.config.hostname, domainname: other.config.domainname },
    };
  }
  const linked = linkedContainers(lifecycle, record);
  const request = planSandbox(record, lifecycle.engine.facts, linkedHosts(linked));
  const { sandboxes } = lifecycle.engine.clients.network;
  const { sandbox } = await insist((options) => sandboxes.createSandbox(request, options));
  if (sandbox === undefined) throw new Error('the network service made a sandbox and did not say which');
  const { namespacePath, resolvConfPath, hostsPath, hostnamePath } = sandbox;
  const linkedEnv = linkedEnvironment(record.name, linked);
  return { sandbox, namespacePath, linkedEnv, files: { resolvConfPath, hostsPath, hostnamePath }, host: {} };
}

import { type Container, ContainerStatus } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { mountsJson, networksJson, statusName } from './container-json.ts';
import { healthWords } from './health-json.ts';
import { secondsOf } from './times.ts';

/** A row of `docker ps`. */
export function containerRow(container: Container): object {
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: container.image,
    ImageID: container.imageId,
    Command: commandLine(container.args),
    Created: secondsOf(container.createdAtNs),
    Ports: portRows(container),
    ...(container.sizeRw !== undefined && { SizeRw: container.sizeRw }),
    ...(container.sizeRoot !== undefined && { SizeRootFs: container.sizeRoot }),
    Labels: container.config?.labels ?? {},
    State: statusName(container.state?.status),
    Status: statusWords(container, BigInt(Date.now()) * 1_000_000n),
    HostConfig: { NetworkMode: container.hostConfig?.networkMode || 'bridge' },
    NetworkSettings: {
      Networks: networksJson(container.network?.networks ?? [], container.hostConfig?.networkMode ?? ''),
    },
    Mounts: mountsJson(container),
  };
}

/** Arguments with spaces are quoted, the command itself is not, as Docker has it. */
function commandLine([path = '', ...args]: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}

function portRows(container: Container): object[] {
  const published = container.network?.ports ?? [];
  const rows: object[] = published.map((port) => ({
    IP: port.hostIp,
    PrivatePort: port.containerPort,
    PublicPort: port.hostPort,
    Type: port.protocol,
  }));
  if (container.network?.sandboxId)
    for (const exposed of container.config?.exposedPorts ?? []) {
      const [port, protocol = 'tcp'] = exposed.split('/');
      if (!published.some((each) => String(each.containerPort) === port && each.protocol === protocol))
        rows.push({ PrivatePort: Number(port), Type: protocol });
    }
  return rows;
}

/** `Up 3 minutes`, `Exited (0) 2 hours ago`, as Docker's clients print it. */
export function statusWords({ state }: Container, nowNs: bigint): string {
  const since = (timeNs: bigint | undefined) => humanDuration((nowNs - (timeNs ?? nowNs)) / 1_000_000_000n);
  switch (state?.status) {
    case ContainerStatus.CONTAINER_STATUS_RUNNING:
    case ContainerStatus.CONTAINER_STATUS_STOPPING:
      return `Up ${since(state.startedAtNs)}${healthWords(state.health)}`;
    case ContainerStatus.CONTAINER_STATUS_PAUSED:
      return `Up ${since(state.startedAtNs)} (Paused)`;
    case ContainerStatus.CONTAINER_STATUS_RESTARTING:
      return `Restarting (${state.exitCode}) ${since(state.finishedAtNs)} ago`;
    case ContainerStatus.CONTAINER_STATUS_REMOVING:
      return 'Removal In Progress';
    case ContainerStatus.CONTAINER_STATUS_DEAD:
      return 'Dead';
    case ContainerStatus.CONTAINER_STATUS_EXITED:
      return `Exited (${state.exitCode}) ${since(state.finishedAtNs)} ago`;
    default:
      return 'Created';
  }
}

/** Steps and words of docker/go-units. */
export function humanDuration(duration: bigint): string {
  const seconds = Number(duration);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

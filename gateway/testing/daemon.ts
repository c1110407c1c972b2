import { ContainerConfig, HostConfig } from '../../proto/gen/longshore/daemon/v1/config.ts';
import {
  type Container,
  ContainerStatus,
  Container as Containers,
} from '../../proto/gen/longshore/daemon/v1/container.ts';

export const id = 'c0ffee'.padEnd(64, '0');

/** A container's record as the daemon would give it. */
export function container(parts: Partial<Container> = {}): Container {
  return Containers.fromPartial({
    id,
    name: 'eager_hopper',
    createdAtNs: 1_700_000_000_123_456_789n,
    config: ContainerConfig.fromPartial({ image: 'busybox', env: ['A=b'], exposedPorts: ['80/tcp', '53/udp'] }),
    hostConfig: HostConfig.fromPartial({ networkMode: 'bridge' }),
    image: 'busybox',
    imageId: `sha256:${'1'.repeat(64)}`,
    state: { status: ContainerStatus.CONTAINER_STATUS_RUNNING, pid: 42, startedAtNs: 1_700_000_001_000_000_000n },
    args: ['sh', '-c', 'echo hi'],
    network: {
      sandboxId: 'ab12',
      networks: [{ name: 'bridge', networkId: 'n1', endpointId: 'e1', ipv4Address: '172.17.0.2', ipv4Prefix: 16 }],
      ports: [{ protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: 8080 }],
    },
    ...parts,
  });
}

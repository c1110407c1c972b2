import type { ContainerConfig, HealthConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { HealthProbe, ImageConfig } from '../../../proto/gen/longshore/graph/v1/image.ts';
import { errors } from '../errors.ts';

/** What the user asked for, completed with what the image says. BAD_CONFIG when there is nothing to run. */
export function mergeImage(user: ContainerConfig, image: ImageConfig): ContainerConfig {
  const { entrypoint, cmd } = commandOf(user, image);
  if (entrypoint.length + cmd.length === 0) throw errors.badConfig({ field: 'cmd', problem: 'no command specified' });
  return {
    ...user,
    user: user.user || image.user,
    workingDir: user.workingDir || image.workingDir,
    stopSignal: user.stopSignal || image.stopSignal,
    exposedPorts: union(user.exposedPorts, image.exposedPorts),
    volumes: union(user.volumes, image.volumes),
    env: [...user.env, ...image.env.filter((entry) => !user.env.some((own) => key(own) === key(entry)))],
    labels: { ...image.labels, ...user.labels },
    shell: user.shell.length > 0 ? user.shell : image.shell,
    healthcheck: mergeHealth(user.healthcheck, image.healthcheck),
    entrypoint: entrypoint.length === 0 ? undefined : { values: entrypoint },
    cmd: cmd.length === 0 ? undefined : { values: cmd },
  };
}

/** An entrypoint of the user's own puts the image's command aside; `[""]` asks for none at all. */
function commandOf(user: ContainerConfig, image: ImageConfig): { entrypoint: string[]; cmd: string[] } {
  const given = user.entrypoint?.values;
  const cmd = user.cmd?.values ?? [];
  if (given !== undefined && given.length > 0) {
    return { entrypoint: given.length === 1 && given[0] === '' ? [] : given, cmd };
  }
  return { entrypoint: given ?? image.entrypoint, cmd: cmd.length > 0 ? cmd : image.cmd };
}

function union(own: string[], more: string[]): string[] {
  return [...new Set([...own, ...more])];
}

function key(entry: string): string {
  return entry.split('=', 1)[0] ?? '';
}

function mergeHealth(own: HealthConfig | undefined, image: HealthProbe | undefined): HealthConfig | undefined {
  if (own === undefined || image === undefined) return own ?? image;
  return {
    test: own.test.length > 0 ? own.test : image.test,
    intervalNs: own.intervalNs || image.intervalNs,
    timeoutNs: own.timeoutNs || image.timeoutNs,
    startPeriodNs: own.startPeriodNs || image.startPeriodNs,
    startIntervalNs: own.startIntervalNs || image.startIntervalNs,
    retries: own.retries || image.retries,
  };
}

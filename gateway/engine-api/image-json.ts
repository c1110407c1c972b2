import type { HealthProbe, Image, ImageConfig } from '../../proto/gen/longshore/graph/v1/image.ts';
import { rfc3339 } from './times.ts';
import { atLeast } from './version.ts';

/** `inspect` of an image. */
export function imageJson(image: Image, graphDriver: object, version: string): object {
  const config = configJson(image.config, version);
  return {
    Id: image.id,
    RepoTags: image.tags,
    RepoDigests: image.repoDigests,
    Parent: '',
    Comment: image.comment,
    Created: image.created === '' && !atLeast(version, '1.44') ? rfc3339(0n) : image.created,
    // Compose 1 reads the second of these.
    ...(!atLeast(version, '1.45') && { Container: '', ContainerConfig: config }),
    DockerVersion: image.dockerVersion,
    Author: image.author,
    Config: config,
    Architecture: image.architecture,
    ...(image.variant !== '' && { Variant: image.variant }),
    Os: image.os,
    Size: image.size,
    ...(!atLeast(version, '1.44') && { VirtualSize: image.size }),
    GraphDriver: graphDriver,
    RootFS: { Type: 'layers', ...(image.diffIds.length > 0 && { Layers: image.diffIds }) },
    Metadata: { LastTagTime: rfc3339(image.lastTaggedAtNs) },
  };
}

/** Fields of containers that Docker showed here too before 1.50, always unset. */
const containersOwn = {
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: '',
};

const orNull = <T>(values: readonly T[]): readonly T[] | null => (values.length === 0 ? null : values);
const setJson = (keys: readonly string[]) =>
  keys.length === 0 ? null : Object.fromEntries(keys.map((key) => [key, {}]));

function configJson(config: ImageConfig | undefined, version: string): object {
  return {
    ...(!atLeast(version, '1.50') && containersOwn),
    User: config?.user ?? '',
    ...(config && config.exposedPorts.length > 0 && { ExposedPorts: setJson(config.exposedPorts) }),
    Env: orNull(config?.env ?? []),
    Cmd: orNull(config?.cmd ?? []),
    ...(config?.healthcheck && { Healthcheck: healthJson(config.healthcheck) }),
    ...(config?.argsEscaped && { ArgsEscaped: true }),
    Volumes: setJson(config?.volumes ?? []),
    WorkingDir: config?.workingDir ?? '',
    Entrypoint: orNull(config?.entrypoint ?? []),
    OnBuild: orNull(config?.onBuild ?? []),
    Labels: config && Object.keys(config.labels).length > 0 ? config.labels : null,
    ...(config && config.stopSignal !== '' && { StopSignal: config.stopSignal }),
    ...(config && config.shell.length > 0 && { Shell: config.shell }),
  };
}

function healthJson(probe: HealthProbe): object {
  const duration = (name: string, ns: bigint) => (ns === 0n ? {} : { [name]: Number(ns) });
  return {
    ...(probe.test.length > 0 && { Test: probe.test }),
    ...duration('Interval', probe.intervalNs),
    ...duration('Timeout', probe.timeoutNs),
    ...duration('StartPeriod', probe.startPeriodNs),
    ...duration('StartInterval', probe.startIntervalNs),
    ...(probe.retries !== 0 && { Retries: probe.retries }),
  };
}

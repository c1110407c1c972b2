import type { WatchImagesResponse } from '../../proto/gen/longshore/graph/v1/event.ts';
import type { HealthProbe, HistoryEntry, Image, ImageConfig } from '../../proto/gen/longshore/graph/v1/image.ts';
import { diffIdsOf, type ImageFile, type RunConfig } from './image-file.ts';
import type { ImageView } from './listing.ts';
import type { ImageEvent } from './records/events.ts';
import { sizeOf, topLayer } from './records/images.ts';

/** Domain to wire. */
export function imageMessage({ image, tags, holders, lastTaggedUs }: ImageView): Image {
  const { file } = image;
  return {
    id: image.id,
    tags: [...tags],
    repoDigests: [],
    config: configMessage(file.config ?? {}),
    architecture: file.architecture ?? '',
    os: file.os ?? '',
    variant: file.variant ?? '',
    author: file.author ?? '',
    comment: file.comment ?? '',
    created: file.created ?? '',
    size: sizeOf(image),
    diffIds: [...diffIdsOf(file)],
    topLayer: topLayer(image) ?? '',
    history: (file.history ?? []).map(historyMessage),
    holders: [...holders],
    dockerVersion: file.docker_version ?? '',
    lastTaggedAtNs: BigInt(lastTaggedUs) * 1000n,
    configBytes: Buffer.alloc(0),
  };
}

export function eventMessage(cursor: number, event: ImageEvent, latest: number): WatchImagesResponse {
  return {
    cursor,
    action: event.action,
    imageId: event.image,
    attributes: { ...event.attributes },
    timeNs: BigInt(event.timeUs) * 1000n,
    latest,
  };
}

function configMessage(config: RunConfig): ImageConfig {
  return {
    user: config.User ?? '',
    exposedPorts: Object.keys(config.ExposedPorts ?? {}),
    env: config.Env ?? [],
    entrypoint: config.Entrypoint ?? [],
    cmd: config.Cmd ?? [],
    volumes: Object.keys(config.Volumes ?? {}),
    workingDir: config.WorkingDir ?? '',
    labels: config.Labels ?? {},
    stopSignal: config.StopSignal ?? '',
    shell: config.Shell ?? [],
    healthcheck: config.Healthcheck === undefined ? undefined : healthMessage(config.Healthcheck),
    onBuild: config.OnBuild ?? [],
    argsEscaped: config.ArgsEscaped ?? false,
  };
}

function healthMessage(check: NonNullable<RunConfig['Healthcheck']>): HealthProbe {
  return {
    test: check.Test ?? [],
    intervalNs: BigInt(check.Interval ?? 0),
    timeoutNs: BigInt(check.Timeout ?? 0),
    startPeriodNs: BigInt(check.StartPeriod ?? 0),
    startIntervalNs: BigInt(check.StartInterval ?? 0),
    retries: check.Retries ?? 0,
  };
}

function historyMessage(entry: NonNullable<ImageFile['history']>[number]): HistoryEntry {
  return {
    created: entry.created ?? '',
    createdBy: entry.created_by ?? '',
    author: entry.author ?? '',
    comment: entry.comment ?? '',
    emptyLayer: entry.empty_layer ?? false,
  };
}

import { type Image, ImageConfig } from '../../proto/gen/longshore/graph/v1/image.ts';
import { chainIds, type RunConfig, type StoredImage } from './images.ts';

export function imageMessage(image: StoredImage, options: { withConfigBytes: boolean }): Image {
  const { file } = image;
  return {
    id: image.id,
    tags: [...image.tags].sort(),
    repoDigests: [],
    config: configMessage(file.config ?? {}),
    architecture: file.architecture ?? '',
    os: file.os ?? '',
    variant: '',
    author: file.author ?? '',
    comment: file.comment ?? '',
    created: file.created ?? '',
    size: image.size,
    diffIds: file.rootfs.diff_ids,
    topLayer: chainIds(file).at(-1) ?? '',
    history: (file.history ?? []).map((entry) => ({
      created: entry.created ?? '',
      createdBy: entry.created_by ?? '',
      author: '',
      comment: entry.comment ?? '',
      emptyLayer: entry.empty_layer ?? false,
    })),
    holders: [...image.holders].sort(),
    dockerVersion: '',
    lastTaggedAtNs: image.lastTaggedAtNs,
    configBytes: options.withConfigBytes ? image.configBytes : Buffer.alloc(0),
  };
}

function configMessage(config: RunConfig): ImageConfig {
  return ImageConfig.fromPartial({
    user: config.User ?? '',
    exposedPorts: Object.keys(config.ExposedPorts ?? {}),
    env: config.Env ?? [],
    entrypoint: config.Entrypoint ?? [],
    cmd: config.Cmd ?? [],
    volumes: Object.keys(config.Volumes ?? {}),
    workingDir: config.WorkingDir ?? '',
    labels: config.Labels ?? {},
    stopSignal: config.StopSignal ?? '',
  });
}

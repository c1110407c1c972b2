import type { HostConfig, LogDriverConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { LogConfig } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import type { ContainerRecord } from '../containers/record.ts';
import type { ContainerDefaults } from '../daemon.ts';
import { logAttributes } from './attributes.ts';
import { renderTag } from './tag.ts';

type Defaults = Pick<ContainerDefaults, 'logDriver' | 'logOptions'>;

/** A container's own choice with what the engine's adds: its options hold for containers of its driver only. */
export function logConfigOf({ logConfig }: Pick<HostConfig, 'logConfig'>, defaults: Defaults): LogDriverConfig {
  const type = logConfig?.type || defaults.logDriver;
  const usual = type === defaults.logDriver ? defaults.logOptions : {};
  return { type, config: { ...usual, ...logConfig?.config } };
}

const sending = ['journald', 'syslog'];

/** How the exec driver is to log. What is for others' logs is worked out only for drivers that send to them. */
export function processLog(record: ContainerRecord, defaults: Defaults): LogConfig {
  const { type: driver, config: options } = logConfigOf(record.hostConfig, defaults);
  if (!sending.includes(driver)) return { driver, options, tag: '', attributes: {}, imageName: '' };
  const { tag: _, ...attributes } = logAttributes(options, record);
  const tag = renderTag(options.tag || '{{.ID}}', record);
  return { driver, options, tag, attributes, imageName: record.config.image };
}

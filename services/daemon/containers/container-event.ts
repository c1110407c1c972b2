import type { EngineEvent } from '../events/event-log.ts';
import type { ContainerRecord } from './record.ts';

/** A container's event with Docker's attributes: its labels, image and name, and what the action adds. */
export function containerEvent(
  record: ContainerRecord,
  action: string,
  timeNs: bigint,
  attributes: { [key: string]: string } = {},
): EngineEvent {
  const { config, id, name } = record;
  return {
    type: 'container',
    action,
    actorId: id,
    attributes: { ...config.labels, image: config.image, name, ...attributes },
    timeNs,
  };
}

import { hostname } from 'node:os';
import type { ContainerRecord } from '../containers/record.ts';

type Facts = Pick<ContainerRecord, 'id' | 'name' | 'imageId' | 'args' | 'config'>;

const shortId = (id: string) => id.replace(/^sha256:/, '').slice(0, 12);

/** What a tag's `{{.Field}}` may name, as in Docker. */
const fields: Readonly<Record<string, (facts: Facts) => string>> = {
  ID: ({ id }) => shortId(id),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ContainerID: ({ id }) => id,
  ContainerName: ({ name }) => `/${name}`,
  ImageID: ({ imageId }) => shortId(imageId),
  ImageFullID: ({ imageId }) => imageId,
  ImageName: ({ config }) => config.image,
  Command: ({ args }) => args.join(' '),
  DaemonName: () => 'docker',
  Hostname: () => hostname(),
};

const field = /\{\{\s*\.(\w+)\s*\}\}/g;

/** Whether every part of a template is one of the fields; of Go's templates no more is understood. */
export function isUnderstood(template: string): boolean {
  return !template.replaceAll(field, (whole, name) => (name in fields ? '' : whole)).includes('{{');
}

/** A container's tag in what is sent to other logs. */
export function renderTag(template: string, facts: Facts): string {
  return template.replaceAll(field, (whole, name) => fields[name]?.(facts) ?? whole);
}

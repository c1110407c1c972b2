import type { EventFilter } from '../../../proto/gen/longshore/daemon/v1/event.ts';
import type { EngineEvent } from './event-log.ts';

/** Docker's rules: within one key any value may match, and all keys must; of labels all must. */
export function matches(filter: EventFilter | undefined, event: EngineEvent): boolean {
  if (filter === undefined) return true;
  return (
    any(filter.types, (type) => type === event.type) &&
    any(filter.actions, (action) => action === event.action || event.action.startsWith(`${action}:`)) &&
    any(filter.scopes, (scope) => scope === 'local') &&
    any(filter.containers, (prefix) => begins(event, 'container', prefix)) &&
    any(filter.volumes, (prefix) => begins(event, 'volume', prefix)) &&
    any(filter.networks, (prefix) => begins(event, 'network', prefix)) &&
    any(filter.images, (image) => isOfImage(event, image)) &&
    filter.labels.every((label) => hasLabel(event.attributes, label))
  );
}

function any(values: string[], match: (value: string) => boolean): boolean {
  return values.length === 0 || values.some(match);
}

function begins(event: EngineEvent, type: string, prefix: string): boolean {
  const plain = prefix.replace(/^\//, '');
  return event.type === type && (event.actorId.startsWith(plain) || (event.attributes['name'] ?? '').startsWith(plain));
}

function isOfImage(event: EngineEvent, image: string): boolean {
  const name = event.attributes[event.type === 'image' ? 'name' : 'image'] ?? '';
  return [event.actorId, name, withoutTag(event.actorId), withoutTag(name)].includes(image);
}

/** `registry:5000/web:1.2` → `registry:5000/web`. */
function withoutTag(reference: string): string {
  return reference.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
}

export function hasLabel(labels: { [key: string]: string }, wanted: string): boolean {
  const cut = wanted.indexOf('=');
  if (cut < 0) return wanted in labels;
  return labels[wanted.slice(0, cut)] === wanted.slice(cut + 1);
}

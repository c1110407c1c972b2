import type { ContainerRecord } from '../containers/record.ts';
import { renderTag } from './tag.ts';

type Facts = Pick<ContainerRecord, 'id' | 'name' | 'imageId' | 'args' | 'config'>;

/** The labels and variables of a container that its log options choose, and its tag where they name one. */
export function logAttributes(options: Readonly<Record<string, string>>, facts: Facts): Record<string, string> {
  const { labels, env } = facts.config;
  const variables = Object.fromEntries(
    env.map((entry) => [entry.split('=', 1)[0] ?? '', entry.replace(/^[^=]*=?/, '')]),
  );
  return {
    ...chosen(labels, options.labels, options['labels-regex']),
    ...chosen(variables, options.env, options['env-regex']),
    ...(options.tag && { tag: renderTag(options.tag, facts) }),
  };
}

function chosen(
  all: Readonly<Record<string, string>>,
  names: string | undefined,
  pattern: string | undefined,
): Record<string, string> {
  if (!names && !pattern) return {};
  const listed = new Set(names?.split(','));
  const matches = pattern ? new RegExp(pattern) : undefined;
  return Object.fromEntries(Object.entries(all).filter(([name]) => listed.has(name) || matches?.test(name)));
}

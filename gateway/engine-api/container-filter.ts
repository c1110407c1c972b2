import type { ListContainersRequest } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { BadRequest } from './errors.ts';
import { type Query, truthFilter } from './query.ts';

const known = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

/** The query of `ps`. Undefined: it asks for containers of swarm tasks, which are none. */
export function listContainersRequest(query: Query): ListContainersRequest | undefined {
  const filters = query.filters(known);
  if (truthFilter('is-task', filters['is-task'])) return undefined;
  const values = (key: string) => filters[key] ?? [];
  // Of many the last holds, as in Docker.
  const single = (key: string) => values(key).at(-1) ?? '';
  return {
    // Who asks for a status means containers in any, as Docker reads it.
    all: query.truth('all') || values('status').length > 0,
    limit: Math.max(0, query.integer('limit') ?? 0),
    withSize: query.truth('size'),
    filter: {
      ids: values('id'),
      names: values('name'),
      labels: values('label'),
      statuses: values('status'),
      exitCodes: values('exited').map(exitCode),
      ancestors: values('ancestor'),
      volumes: values('volume'),
      networks: values('network'),
      before: single('before'),
      since: single('since'),
      published: values('publish'),
      exposed: values('expose'),
      healths: values('health'),
    },
  };
}

function exitCode(value: string): number {
  if (/^[+-]?\d{1,9}$/.test(value)) return Number(value);
  throw new BadRequest(`invalid filter 'exited=${value}': it must be a whole number`);
}

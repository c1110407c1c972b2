import type { ListContainersRequest } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { BadRequest } from './errors.ts';
import { integerOf, type Query } from './query.ts';

const known = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

const statuses = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'];
const healths = ['starting', 'healthy', 'unhealthy', 'none'];

/** The query of `ps`. */
export function listContainersRequest(query: Query): ListContainersRequest {
  const filters = query.filters(known);
  const values = (key: string) => filters[key] ?? [];
  const chosen = (key: string, allowed: readonly string[]) => {
    for (const value of values(key)) if (!allowed.includes(value)) throw badFilter(key, value);
    return values(key);
  };
  const single = (key: string) => {
    const [value = '', other] = values(key);
    if (other !== undefined) throw badFilter(key, other);
    return value;
  };
  return {
    // Who asks for a status means containers in any, as Docker reads it.
    all: query.truth('all') || values('status').length > 0,
    limit: Math.max(0, query.integer('limit') ?? 0),
    withSize: query.truth('size'),
    filter: {
      ids: values('id'),
      names: values('name'),
      labels: values('label'),
      statuses: chosen('status', statuses),
      exitCodes: values('exited').map((value) => integerOf('filter exited', value)),
      ancestors: values('ancestor'),
      volumes: values('volume'),
      networks: values('network'),
      before: single('before'),
      since: single('since'),
      published: values('publish'),
      exposed: values('expose'),
      healths: chosen('health', healths),
    },
  };
}

const badFilter = (key: string, value: string) => new BadRequest(`invalid filter '${key}=${value}'`);

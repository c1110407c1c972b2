import type { ContainerFilter } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { hasLabel } from '../events/filter.ts';
import { ancestry } from './ancestors.ts';
import type { Lifecycle } from './lifecycle.ts';
import { pattern } from './pattern.ts';
import { parsePort } from './port-plan.ts';
import { type ContainerRecord, isRunning, type Status } from './record.ts';

type Test = (record: ContainerRecord) => boolean;

/** What `ps` shows for a status: Docker has no words for ours in between. */
const shownAs: { readonly [status in Status]?: Status } = { starting: 'created', stopping: 'running' };
const knownStatuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

const knownHealths = ['none', 'starting', 'healthy', 'unhealthy'];

/** Docker's rules: within one key any value may match, and all keys must; of labels all must. BAD_FILTER. */
export async function containerFilter(lifecycle: Lifecycle, filter: ContainerFilter): Promise<Test> {
  for (const [field, what, values, known] of [
    ['status', 'state', filter.statuses, knownStatuses],
    ['health', 'health', filter.healths, knownHealths],
  ] as const) {
    const value = values.find((each) => !known.includes(each));
    if (value === undefined) continue;
    const problem = `invalid value for ${what} (${value}): must be one of ${known.join(', ')}`;
    throw errors.badFilter({ field, value, problem });
  }
  const isDescendant = filter.ancestors.length === 0 ? undefined : await ancestry(lifecycle, filter.ancestors);
  const find = lifecycle.repository.find;
  const before = filter.before === '' ? undefined : find(filter.before).createdAtNs;
  const since = filter.since === '' ? undefined : find(filter.since).createdAtNs;
  const tests: Test[] = [
    any(
      filter.ids
        .map((id) => pattern('id', id))
        .map(
          (test) =>
            ({ id }) =>
              test(id),
        ),
    ),
    any(
      filter.names
        .map((name) => pattern('name', name))
        .map(
          (test) =>
            ({ name }) =>
              test(`/${name}`) || test(name),
        ),
    ),
    ({ config }) => filter.labels.every((label) => hasLabel(config.labels, label)),
    any(filter.statuses.map((status) => (record) => (shownAs[record.status] ?? record.status) === status)),
    any(filter.exitCodes.map((code) => (record) => hasExited(record) && record.exitCode === code)),
    any(filter.volumes.map((volume) => (record) => mounts(record, volume))),
    any(filter.networks.map((network) => (record) => isAttached(record, network))),
    any(
      filter.published.map(portRange('publish')).map(
        (range) =>
          ({ network }) =>
            network.ports.some(({ hostPort, protocol }) => isWithin(range, hostPort, protocol)),
      ),
    ),
    any(
      filter.exposed.map(portRange('expose')).map(
        (range) =>
          ({ config, network }) =>
            config.exposedPorts.map(parsePort).some(({ port, protocol }) => isWithin(range, port, protocol)) ||
            network.ports.some(({ containerPort, protocol }) => isWithin(range, containerPort, protocol)),
      ),
    ),
    any(filter.healths.map((wanted) => (record) => (lifecycle.health.of(record)?.status ?? 'none') === wanted)),
    (record) => isDescendant?.(record) ?? true,
    ({ createdAtNs }) => before === undefined || createdAtNs < before,
    ({ createdAtNs }) => since === undefined || createdAtNs > since,
  ];
  return (record) => tests.every((test) => test(record));
}

function any(tests: Test[]): Test {
  return (record) => tests.length === 0 || tests.some((test) => test(record));
}

function hasExited(record: ContainerRecord): boolean {
  return !isRunning(record) && record.startedAtNs > 0n;
}

function mounts(record: ContainerRecord, volume: string): boolean {
  return record.mounts.some(({ name, destination }) => name === volume || destination === volume);
}

function isAttached({ network, hostConfig }: ContainerRecord, wanted: string): boolean {
  const { networkMode } = hostConfig;
  const mode = networkMode === '' || networkMode === 'default' ? 'bridge' : networkMode;
  const attached = network.networks.some(({ name, networkId }) => name === wanted || networkId.startsWith(wanted));
  return attached || mode === wanted;
}

interface PortRange {
  first: number;
  last: number;
  protocol: string;
}

/** `80`, `80/tcp`, `8000-8010/udp`. */
function portRange(field: 'publish' | 'expose'): (text: string) => PortRange {
  return (text) => {
    const [, first = '', last = '', protocol = 'tcp'] = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
    if (first === '') throw errors.badFilter({ field, value: text });
    return { first: Number(first), last: Number(last || first), protocol };
  };
}

function isWithin({ first, last, protocol }: PortRange, port: number, ofProtocol: string): boolean {
  return port >= first && port <= last && protocol === ofProtocol;
}

import type { HostEntry } from '../../../proto/gen/longshore/network/v1/sandbox.ts';
import { errors } from '../errors.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive } from './record.ts';

/** `child[:alias]`, as `--link` has it. */
export function parseLink(text: string): { child: string; alias: string } {
  const [child = '', alias = '', ...rest] = text.split(':');
  if (child === '' || rest.length > 0) {
    throw errors.badConfig({ field: 'links', problem: `bad format for links: ${text}` });
  }
  return { child, alias: (alias || child).replace(/^.*\//, '') };
}

/** A container that another one knows by an alias. */
export interface LinkedContainer {
  alias: string;
  child: ContainerRecord;
  address: string;
}

/** Those that the link graph has below this one, which have to run. LINKED_NOT_RUNNING. */
export function linkedContainers(lifecycle: Lifecycle, record: ContainerRecord): LinkedContainer[] {
  const all = links(lifecycle, record);
  const ended = all.find(({ child }) => !isAlive(child));
  if (ended !== undefined) throw errors.linkedNotRunning({ child: ended.child.name, alias: ended.alias });
  return all.filter(({ address }) => address !== '');
}

/** Those of them that run. */
export function livingLinks(lifecycle: Lifecycle, record: ContainerRecord): LinkedContainer[] {
  return links(lifecycle, record).filter(({ child, address }) => isAlive(child) && address !== '');
}

/** Without an address there are those that don't run, or have no network. */
function links({ repository, engine }: Lifecycle, record: ContainerRecord): LinkedContainer[] {
  if (record.hostConfig.links.length === 0) return [];
  return engine.links.children(`/${record.name}`, 0).flatMap(({ entity, name: alias }) => {
    const child = repository.get(entity);
    return child === undefined ? [] : [{ alias, child, address: child.network.networks[0]?.ipv4Address ?? '' }];
  });
}

/** A container as it is shown: its links as they are now, `/child:/parent/alias`, after renames and removals too. */
export function withLinks({ repository, engine }: Lifecycle, record: ContainerRecord): ContainerRecord {
  const { hostConfig, name } = record;
  if (hostConfig.links.length === 0) return record;
  const links = engine.links.children(`/${name}`, 0).flatMap(({ entity, path }) => {
    const child = repository.get(entity);
    return child === undefined ? [] : [`/${child.name}:${path}`];
  });
  return { ...record, hostConfig: { ...hostConfig, links } };
}

/** Lines of /etc/hosts. */
export function linkedHosts(linked: readonly LinkedContainer[]): HostEntry[] {
  return linked.map(({ alias, child, address }) => ({
    address,
    names: [...new Set([alias, child.config.hostname, child.name])],
  }));
}

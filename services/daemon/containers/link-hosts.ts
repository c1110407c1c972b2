import { messageOf } from '../../../kit/errors.ts';
import { insist } from './insist.ts';
import type { Lifecycle } from './lifecycle.ts';
import { type LinkedContainer, linkedHosts, livingLinks } from './linked.ts';
import { joinedContainer, planSandbox } from './network-plan.ts';
import { type ContainerRecord, isAlive } from './record.ts';

/** Whether it runs with an /etc/hosts of its own. */
export function hasHosts(record: ContainerRecord): boolean {
  return isAlive(record) && joinedContainer(record) === undefined;
}

/** Writes the hosts of one that runs anew, with those of its links that stay. In its queue. */
export async function setHosts(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  stays: (link: LinkedContainer) => boolean,
): Promise<void> {
  const { sandboxes } = lifecycle.engine.clients.network;
  const hosts = linkedHosts(livingLinks(lifecycle, record).filter(stays));
  const { id, extraHosts } = planSandbox(record, lifecycle.engine.facts, hosts);
  await insist((options) => sandboxes.updateSandbox({ id, extraHosts }, options));
}

/** The hosts say what the links are now, if it still runs; its next start puts right what fails. In its queue. */
export async function refreshHosts(lifecycle: Lifecycle, id: string): Promise<void> {
  const record = lifecycle.repository.get(id);
  if (record === undefined || !hasHosts(record)) return;
  try {
    await setHosts(lifecycle, record, () => true);
  } catch (error) {
    lifecycle.log.warn({ container: id, problem: messageOf(error) }, 'its hosts do not follow its links');
  }
}

/**
 * One that runs again may have another address: those that know it by a link learn it, each in its own queue, which nobody
 * waits for. A coordinator that dies first refreshes the hosts of all that have links when it is back.
 */
export function tellParents(lifecycle: Lifecycle, id: string): void {
  const { engine, queue, repository } = lifecycle;
  for (const { parent } of engine.links.refPaths(id)) {
    if (parent === undefined || repository.get(parent) === undefined) continue;
    void queue.run(parent, () => refreshHosts(lifecycle, parent));
  }
}

import type { Records } from '../../../kit/records.ts';
import { errors } from '../errors.ts';
import type { EngineEvent } from '../events/event-log.ts';
import type { LinkGraph } from '../linkgraph/linkgraph.ts';
import { type ContainerRecord, fromRow, toRow } from './record.ts';

/** One step of the engine's records: all of it is committed, or nothing. */
export interface Changes {
  put?: readonly ContainerRecord[];
  /** Ids. */
  remove?: readonly string[];
  events?: readonly EngineEvent[];
}

/** Runs `save` in a transaction, perhaps with more, and gives the verb's outcome. */
export type Commit<T> = (save: () => void) => T;

/**
 * All containers: on disk, and in memory for reads, which never wait. A *reference* is an id, a name with or without the
 * slash, a link's path, or an unambiguous prefix of an id.
 */
export interface Repository {
  get(id: string): ContainerRecord | undefined;
  /** CONTAINER_NOT_FOUND, AMBIGUOUS_REFERENCE. */
  find(reference: string): ContainerRecord;
  /** Oldest first. */
  all(): ContainerRecord[];
  byName(name: string): ContainerRecord | undefined;
  /** Commits changes, then shows them to readers and to those who watch events. */
  apply<T>(changes: Changes, commit: Commit<T>): T;
  apply(changes: Changes): void;
  /** Shows a record to readers only: a state that the next start of the engine finds out by itself. */
  show(record: ContainerRecord): void;
}

const update =
  'UPDATE container SET name = ?, status = ?, desired = ?, generation = ?, pending = ?, facts = ?, request = ? WHERE id = ?';
const insert =
  'INSERT INTO container (name, status, desired, generation, pending, facts, id, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?)';

export function openRepository(
  records: Records,
  links: LinkGraph,
  told: {
    /** Writes events in the present transaction, and gives what shows them. */
    record: (events: readonly EngineEvent[]) => () => void;
    /** Called with the id of each container that was changed or removed, when readers see it. */
    changed: (id: string) => void;
  },
): Repository {
  const byId = new Map<string, ContainerRecord>();
  const idByName = new Map<string, string>();
  const loaded = records.prepare('SELECT * FROM container').all().map(fromRow);
  for (const record of loaded.sort((one, other) => (one.createdAtNs < other.createdAtNs ? -1 : 1))) remember(record);

  function remember(record: ContainerRecord): void {
    forgetName(byId.get(record.id));
    byId.set(record.id, record);
    idByName.set(record.name, record.id);
  }
  function forgetName(record: ContainerRecord | undefined): void {
    if (record !== undefined && idByName.get(record.name) === record.id) idByName.delete(record.name);
  }
  function write(record: ContainerRecord): void {
    const { id, name, status, desired, generation, pending, facts, request } = toRow(record);
    const { changes } = records.prepare(update).run(name, status, desired, generation, pending, facts, request, id);
    if (changes === 0) {
      records.prepare(insert).run(name, status, desired, generation, pending, facts, id, request);
    }
  }
  const byName = (name: string) => byId.get(idByName.get(name) ?? '');

  const repository: Repository = {
    get: (id) => byId.get(id),
    all: () => [...byId.values()],
    byName,
    find(reference) {
      const plain = reference.replace(/^\//, '');
      const exact = byId.get(reference) ?? byName(plain);
      if (exact !== undefined) return exact;
      if (plain.includes('/')) {
        const linked = byId.get(links.get(`/${plain}`) ?? '');
        if (linked !== undefined) return linked;
      }
      const found = reference === '' ? [] : repository.all().filter(({ id }) => id.startsWith(reference));
      if (found.length > 1) throw errors.ambiguousReference({ reference });
      if (found[0] === undefined) throw errors.containerNotFound({ container: reference });
      return found[0];
    },
    apply<T>(changes: Changes, commit: Commit<T | undefined> = (save) => void records.transaction(save)) {
      const put = (changes.put ?? []).map(revised);
      let showEvents = () => {};
      const outcome = commit(() => {
        for (const record of put) write(record);
        for (const id of changes.remove ?? []) records.prepare('DELETE FROM container WHERE id = ?').run(id);
        showEvents = told.record(changes.events ?? []);
      });
      for (const record of put) remember(record);
      for (const id of changes.remove ?? []) {
        forgetName(byId.get(id));
        byId.delete(id);
      }
      showEvents();
      for (const { id } of put) told.changed(id);
      for (const id of changes.remove ?? []) told.changed(id);
      return outcome as T;
    },
    show(record) {
      remember(revised(record));
    },
  };
  return repository;
}

/** Only its first revision can be unanswered: the next is made by who knows the container. */
function revised(record: ContainerRecord): ContainerRecord {
  const { revision, unanswered } = record;
  return { ...record, unanswered: revision === 0 ? unanswered : undefined, revision: revision + 1 };
}

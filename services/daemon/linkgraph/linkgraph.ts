import { errors } from '../errors.ts';
import { openLinkRecords, rootEntity } from './schema.ts';

/**
 * Names of containers and links between them, as a graph on disk. An *entity* is a container's id; the root is the entity
 * `0`. An *edge* gives an entity a name under a parent: `/web` is the edge root → container, `/web/db` is a link, the edge
 * web → the container that web calls `db`. A *path* is walked edge by edge, so one entity may have many.
 */
export interface LinkGraph {
  /** Adds the entity when it is new, and the edge that `path` says; all or nothing. LINK_PARENT_NOT_FOUND, LINK_TO_SELF, LINK_NAME_TAKEN. */
  set(path: string, entity: string): void;
  /** The entity at `path`; `/` is the root. */
  get(path: string): string | undefined;
  /** All below `path` by full path, deepest first. Depth 0: direct children; n: n levels more; -1: all. */
  list(path: string, depth: number): Map<string, string>;
  /** The edges directly below `path`, or deeper ones as for `list`. LINK_PARENT_NOT_FOUND. */
  children(path: string, depth: number): Child[];
  /** The edges that point at an entity. */
  refPaths(entity: string): Edge[];
  /** Takes away one edge; the entity stays. What is not there is no error. LINK_ROOT_FIXED, LINK_PARENT_NOT_FOUND. */
  delete(path: string): void;
  /** Takes away an entity with every edge to it and from it. Gives the number of edges. */
  purge(entity: string): number;
  /** Within one parent only. LINK_ROOTS_DIFFER, LINK_NOT_FOUND, LINK_NAME_TAKEN. */
  rename(from: string, to: string): void;
  /** Resolves when all changes so far survive a power cut. */
  synced(): Promise<void>;
  close(): void;
}

export interface Edge {
  /** Undefined for the root's own edge. */
  parent: string | undefined;
  name: string;
}

export interface Child {
  parent: string;
  entity: string;
  path: string;
  name: string;
}

export function openLinkGraph(path: string): LinkGraph {
  const records = openLinkRecords(path);

  const entityUnder = (parent: string, name: string): string | undefined => {
    const row = records.prepare('SELECT entity_id FROM edge WHERE parent_id = ? AND name = ?').get(parent, name);
    return row === undefined ? undefined : String(row['entity_id']);
  };
  const edgesFrom = (parent: string): { entity: string; name: string }[] =>
    records
      .prepare('SELECT entity_id, name FROM edge WHERE parent_id = ? ORDER BY name')
      .all(parent)
      .map((row) => ({ entity: String(row['entity_id']), name: String(row['name']) }));

  const get = (at: string): string | undefined => {
    let entity: string | undefined = rootEntity;
    for (const name of parts(at)) {
      if (entity === undefined) return undefined;
      entity = entityUnder(entity, name);
    }
    return entity;
  };
  const parentOf = (at: string): { parent: string; name: string } => {
    const names = parts(at);
    const name = names.at(-1);
    const parent = name === undefined ? undefined : get(`/${names.slice(0, -1).join('/')}`);
    if (parent === undefined || name === undefined) throw errors.linkParentNotFound({ path: at });
    return { parent, name };
  };
  const addEdge = (at: string, entity: string, parent: string, name: string): void => {
    const holder = entityUnder(parent, name);
    if (holder !== undefined) throw errors.linkNameTaken({ path: at, holder });
    records.prepare('INSERT INTO edge (entity_id, parent_id, name) VALUES (?, ?, ?)').run(entity, parent, name);
  };

  /** Links may form a ring; a path that comes back to an entity it passed ends there. */
  const descend = (entity: string, at: string, depth: number, passed: readonly string[]): Child[] =>
    edgesFrom(entity)
      .filter((edge) => !passed.includes(edge.entity))
      .flatMap((edge) => {
        const child = { parent: entity, entity: edge.entity, path: `${at}/${edge.name}`, name: edge.name };
        if (depth === 0) return [child];
        return [child, ...descend(edge.entity, child.path, depth - 1, [...passed, edge.entity])];
      });
  const below = (at: string, depth: number): Child[] | undefined => {
    const entity = get(at);
    if (entity === undefined) return undefined;
    const names = parts(at);
    return descend(entity, names.length === 0 ? '' : `/${names.join('/')}`, depth, [entity]);
  };

  return {
    get,
    set(at, entity) {
      records.transaction(() => {
        const { parent, name } = parentOf(at);
        if (parent === entity) throw errors.linkToSelf();
        records.prepare('INSERT OR IGNORE INTO entity (id) VALUES (?)').run(entity);
        addEdge(at, entity, parent, name);
      });
    },
    list(at, depth) {
      const found = (below(at, depth) ?? []).sort((one, other) => parts(other.path).length - parts(one.path).length);
      return new Map(found.map((child) => [child.path, child.entity]));
    },
    children(at, depth) {
      const found = below(at, depth);
      if (found === undefined) throw errors.linkParentNotFound({ path: at });
      return found;
    },
    refPaths(entity) {
      const rows = records.prepare('SELECT parent_id, name FROM edge WHERE entity_id = ? ORDER BY rowid').all(entity);
      return rows.map((row) => ({
        parent: row['parent_id'] === null ? undefined : String(row['parent_id']),
        name: String(row['name']),
      }));
    },
    delete(at) {
      if (parts(at).length === 0) throw errors.linkRootFixed();
      const { parent, name } = parentOf(at);
      records.prepare('DELETE FROM edge WHERE parent_id = ? AND name = ?').run(parent, name);
    },
    purge(entity) {
      if (entity === rootEntity) throw errors.linkRootFixed();
      return records.transaction(() => {
        const { changes } = records
          .prepare('DELETE FROM edge WHERE entity_id = ? OR parent_id = ?')
          .run(entity, entity);
        records.prepare('DELETE FROM entity WHERE id = ?').run(entity);
        return Number(changes);
      });
    },
    rename(from, to) {
      records.transaction(() => {
        const before = parentOf(from);
        const after = parentOf(to);
        if (before.parent !== after.parent) throw errors.linkRootsDiffer({ from, to });
        const entity = entityUnder(before.parent, before.name);
        if (entity === undefined) throw errors.linkNotFound({ parent: before.parent, name: before.name });
        if (before.name === after.name) return;
        const holder = entityUnder(after.parent, after.name);
        if (holder !== undefined) throw errors.linkNameTaken({ path: to, holder });
        records
          .prepare('UPDATE edge SET name = ? WHERE parent_id = ? AND name = ?')
          .run(after.name, before.parent, before.name);
      });
    },
    synced: () => records.synced(),
    close() {
      records.close();
    },
  };
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

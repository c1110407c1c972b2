import { ChangeKind } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { entriesOf } from '../archive/tar-reader.ts';
import type { LayerStore, StoredLayer } from './layers.ts';

export interface Change {
  /** Absolute. */
  path: string;
  kind: ChangeKind;
}

const opaque = '.wh..wh..opq';

/** The paths in which a layer differs from its parent, sorted; directories on the way to one count, as in Docker. */
export function changesOf(store: LayerStore, stored: StoredLayer): Change[] {
  const below = pathsOf(store, stored.layer.parent);
  const kinds = new Map<string, ChangeKind>();
  const present = (path: string) =>
    kinds.set(path, below.has(path) ? ChangeKind.CHANGE_KIND_MODIFIED : ChangeKind.CHANGE_KIND_ADDED);
  for (const { name } of entriesOf(store.archiveOf(stored))) {
    for (const parent of parentsOf(name)) present(parent);
    const whiteout = whitedOut(name);
    if (whiteout === undefined) present(name);
    else if (below.has(whiteout)) kinds.set(whiteout, ChangeKind.CHANGE_KIND_DELETED);
  }
  return [...kinds].map(([path, kind]) => ({ path: `/${path}`, kind })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** All paths that a mount of the layer would show. */
function pathsOf(store: LayerStore, id: string): Set<string> {
  if (id === '') return new Set();
  const stored = store.find(id);
  const paths = pathsOf(store, stored.layer.parent);
  for (const { name } of entriesOf(store.archiveOf(stored))) {
    if (name.endsWith(`/${opaque}`) || name === opaque) hide(paths, name.slice(0, -opaque.length - 1), false);
  }
  for (const { name } of entriesOf(store.archiveOf(stored))) {
    const whiteout = whitedOut(name);
    if (whiteout !== undefined) hide(paths, whiteout, true);
    else if (!name.endsWith(opaque)) for (const path of [...parentsOf(name), name]) paths.add(path);
  }
  return paths;
}

function hide(paths: Set<string>, path: string, itself: boolean): void {
  for (const each of paths) {
    if (each.startsWith(`${path}/`) || path === '' || (itself && each === path)) paths.delete(each);
  }
}

/** `a/.wh.b` → `a/b`; undefined for what is no whiteout of one path. */
function whitedOut(name: string): string | undefined {
  const [, folder = '', file] = /^(.*\/)?\.wh\.([^/]+)$/.exec(name) ?? [];
  return file === undefined || file === '.wh..opq' ? undefined : `${folder}${file}`;
}

function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}

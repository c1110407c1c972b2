import type { FileFacts } from './job.ts';
import { type FilesPath, findPath, resolved } from './path.ts';

export function statFile(root: number, path: FilesPath): FileFacts {
  using found = findPath(root, path);
  const { stats } = found;
  return {
    name: path.name,
    size: Number(stats.size),
    mode: Number(stats.mode),
    modifiedAtNs: stats.mtimeNs,
    linkTarget: stats.isSymbolicLink() ? resolved(root, path.path) : '',
  };
}

import { nowNs } from '../events.ts';

/** A file or directory of a container's root. */
export interface StoredFile {
  /** Undefined: a directory. */
  content: Buffer | undefined;
  modifiedAtNs: bigint;
}

/** By the root's path on the host, then by the path in it. */
export type FileMemory = Map<string, Map<string, StoredFile>>;

/** The files of a root, which at first has what every image has. */
export function filesOf(memory: FileMemory, rootPath: string): Map<string, StoredFile> {
  const known = memory.get(rootPath);
  if (known !== undefined) return known;
  const modifiedAtNs = nowNs();
  const directory = { content: undefined, modifiedAtNs };
  const passwd = { content: Buffer.from('root:x:0:0:root:/:/bin/sh\n'), modifiedAtNs };
  const files = new Map<string, StoredFile>([
    ['/', directory],
    ['/etc', directory],
    ['/etc/passwd', passwd],
    ['/tmp', directory],
  ]);
  memory.set(rootPath, files);
  return files;
}

/** Absolute, without a slash at its end. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

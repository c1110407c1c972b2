import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { errors } from '../errors.ts';

/** Where the init is seen inside the container; `docker top` and scripts know the name. */
export const initInContainer = '/sbin/docker-init';

/** Statically linked ones, since they run inside any image. All take `--` before the command. */
const candidates = ['docker-init', 'catatonit', 'tini-static'];

/** The host's tiny init for `--init`. */
export async function findInitBinary(searchPath = process.env.PATH ?? '/usr/bin:/bin'): Promise<string> {
  const directories = [...searchPath.split(delimiter), '/usr/libexec/podman', '/usr/libexec/docker'];
  for (const name of candidates) {
    for (const directory of directories) {
      const path = join(directory, name);
      if (await isExecutable(path)) return path;
    }
  }
  const detail = `--init needs a small init program on the host: install catatonit or tini (looked for ${candidates.join(', ')})`;
  throw errors.badSpec({ field: 'init', detail });
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

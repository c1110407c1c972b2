import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, SystemError } from './system-error.ts';

/**
 * Kernel parameters. Names are written as sysctl(8) has them: `net.ipv4.ip_forward`, or with slashes where a part has
 * dots in it: `net/ipv4/conf/eth0.1/forwarding`. Those under `net` are of the network namespace that the thread is in.
 */
export interface Sysctls {
  /** The value without its final newline; undefined when this kernel hasn't got the parameter. */
  read(name: string): string | undefined;
  /** Throws the errors of writing a file: ENOENT, EROFS, EINVAL (a value that the kernel refuses). */
  write(name: string, value: string): void;
}

const EINVAL = 22;

/** As sysctl(8): the separator that comes first is the separator; the other one is part of a name. */
function pathOf(root: string, name: string): string {
  const separator = /[./]/.exec(name)?.[0] ?? '.';
  const swapped: Readonly<Record<string, string>> = { '.': '/', '/': '.' };
  const path = separator === '/' ? name : name.replace(/[./]/g, (character) => swapped[character] ?? character);
  if (!/^[^/]+(\/[^/]+)*$/.test(path) || path.split('/').some((part) => part === '.' || part === '..')) {
    throw new SystemError('sysctl', EINVAL, name, 'not the name of a kernel parameter');
  }
  return join(root, path);
}

/** The real parameters. `root` is where they are mounted, if not at /proc/sys. */
export function createSysctls(root = '/proc/sys'): Sysctls {
  return {
    read(name) {
      try {
        return readFileSync(pathOf(root, name), 'utf8').replace(/\n$/, '');
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return undefined;
        throw error;
      }
    },
    write(name, value) {
      // Without O_CREAT: a parameter that isn't there is ENOENT, whatever is mounted here.
      writeFileSync(pathOf(root, name), value, { flag: 'r+' });
    },
  };
}

import { errors } from './errors.ts';

/** What stands for itself as a directory's name and in `-v name:/path`, where a slash means a path of the host. */
const pattern = '[a-zA-Z0-9][a-zA-Z0-9_.-]';
const isName = new RegExp(`^${pattern}+$`);
/** A file name has at most 255 bytes (NAME_MAX). */
const longest = 255;
/** Files of our own beside the volumes. */
export const recordsFile = 'volumes.db';

/** BAD_NAME, in Docker's words. */
export function checkVolumeName(name: string): void {
  if (name.length === 0) throw errors.badName({ name: '""', problem: 'volume name cannot be empty' });
  if (name.length === 1) {
    throw errors.badName({
      name,
      problem: 'volume name is too short, names should be at least two alphanumeric characters',
    });
  }
  if (name.length > longest)
    throw errors.badName({ name, problem: `volume name is longer than ${longest} characters` });
  if (!isName.test(name)) {
    throw errors.badName({
      name,
      problem:
        `"${name}" includes invalid characters for a local volume name, only "${pattern}" are allowed. ` +
        'If you intended to pass a host directory, use absolute path',
    });
  }
  if (name.startsWith(recordsFile)) throw errors.badName({ name, problem: `"${name}" is a reserved name` });
}

/** One line of /proc/self/mountinfo, see proc_pid_mountinfo(5). */
export type Mount = {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of the filesystem. */
  readonly device: string;
  /** The directory of the filesystem that is shown at target. */
  readonly root: string;
  readonly target: string;
  /** Options of this mount: `ro`, `nosuid` … */
  readonly options: readonly string[];
  /** Options of the filesystem: `lowerdir=/a` … */
  readonly filesystemOptions: readonly string[];
  /** `shared:1`, `master:2` …; empty for a private mount. */
  readonly propagation: readonly string[];
  readonly type: string;
  readonly source: string;
};

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Splits at commas that the filesystem didn't escape by a backslash (which mountinfo shows as `\134`). */
function splitOptions(field: string): string[] {
  return field.split(/(?<!\\134),/).map(unescapeOctal);
}

function parseLine(line: string): Mount | undefined {
  const [before, after] = line.split(' - ');
  if (before === undefined || after === undefined) return undefined;
  const [id, parent, device = '', root = '', target = '', options = '', ...propagation] = before.split(' ');
  const [type = '', source = '', filesystemOptions = ''] = after.split(' ');
  return {
    id: Number(id),
    parent: Number(parent),
    device,
    root: unescapeOctal(root),
    target: unescapeOctal(target),
    options: options.split(','),
    filesystemOptions: splitOptions(filesystemOptions),
    propagation: propagation.filter((tag) => tag !== ''),
    type: unescapeOctal(type),
    source: unescapeOctal(source),
  };
}

/** True for `directory` itself and every path below it. */
function isWithin(path: string, directory: string): boolean {
  const prefix = directory.endsWith('/') ? directory : `${directory}/`;
  return path === directory || path.startsWith(prefix);
}

/** Parses a mountinfo file, keeping the kernel's order; with `under` only mounts at that path and below it. */
export function parseMountinfo(text: string, under?: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const mount = parseLine(line);
    if (mount && (under === undefined || isWithin(mount.target, under))) mounts.push(mount);
  }
  return mounts;
}

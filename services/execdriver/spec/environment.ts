const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * A container's environment in Docker's order: PATH, HOSTNAME, TERM with a terminal; then what the user gave, where a name
 * that is there already keeps its place and `NAME` without `=` takes it out; HOME from the passwd file when nobody set it.
 */
export function environmentOf(
  given: readonly string[],
  container: { hostname: string; tty: boolean; home: string },
): string[] {
  const usual = [defaultPath, `HOSTNAME=${container.hostname}`, ...(container.tty ? ['TERM=xterm'] : [])];
  const environment = mergeEnvironment(usual, given);
  if (!environment.some((entry) => nameOf(entry) === 'HOME')) environment.push(`HOME=${container.home}`);
  return environment;
}

/** Adds entries: a name that is there keeps its place with the new value; `NAME` without `=` takes it out. */
export function mergeEnvironment(base: readonly string[], given: readonly string[]): string[] {
  const environment = [...base];
  for (const entry of given) {
    const name = nameOf(entry);
    const at = environment.findIndex((existing) => nameOf(existing) === name);
    if (!entry.includes('=')) {
      if (at >= 0) environment.splice(at, 1);
    } else if (at >= 0) {
      environment[at] = entry;
    } else {
      environment.push(entry);
    }
  }
  return environment;
}

function nameOf(entry: string): string {
  const equals = entry.indexOf('=');
  return equals < 0 ? entry : entry.slice(0, equals);
}

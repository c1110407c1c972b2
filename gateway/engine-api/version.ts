import { BadRequest } from './errors.ts';

/**
 * The newest version whose calls and fields, of those that are served here, are all honoured; clients switch features on
 * by it. Calls that are not served answer 501 whatever the version, and a field that cannot be honoured is refused with 501
 * when it is set (Body.refuseSet), so that the number never promises what is silently left out.
 */
export const newestVersion = '1.51';
/** The oldest whose shapes are still told apart. */
export const oldestVersion = '1.24';

const minor = (version: string) => Number(version.split('.')[1]);

/** Any number of parts, each a number: negative when `one` is older. */
function compare(one: string, other: string): number {
  const [ours, theirs] = [one, other].map((version) => version.split('.').map(Number)) as [number[], number[]];
  const places = Array.from({ length: Math.max(ours.length, theirs.length) }, (_, place) => place);
  return places.map((place) => (ours[place] ?? 0) - (theirs[place] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

export function requireSupported(version: string): void {
  if (compare(version, newestVersion) > 0) {
    throw new BadRequest(`client version ${version} is too new. Maximum supported API version is ${newestVersion}`);
  }
  if (compare(version, oldestVersion) < 0) {
    throw new BadRequest(
      `client version ${version} is too old. Minimum supported API version is ${oldestVersion}, ` +
        'please upgrade your client to a newer version',
    );
  }
}

/** Whether the client speaks at least this version. */
export function atLeast(version: string, wanted: string): boolean {
  return minor(version) >= minor(wanted);
}

import { errors } from './errors.ts';

/** Ids become names of directories and cgroups. Throws INVALID_ID. */
export function checkId(id: string): void {
  if (!/^[0-9a-f]{64}$/.test(id)) throw errors.invalidId({ id });
}

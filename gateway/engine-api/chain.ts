import { createHash } from 'node:crypto';

/** The ids, 64 hex digits each, of an image's layers in the layer store: the OCI image spec's chain ids. Lowest first. */
export function chainIds(diffIds: readonly string[]): string[] {
  const ids: string[] = [];
  for (const diffId of diffIds) {
    const below = ids.at(-1);
    ids.push(
      below === undefined
        ? diffId.replace(/^sha256:/, '')
        : createHash('sha256').update(`sha256:${below} ${diffId}`).digest('hex'),
    );
  }
  return ids;
}

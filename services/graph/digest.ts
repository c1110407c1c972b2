import { createHash } from 'node:crypto';

/** `sha256:` and 64 lower-case hex digits: the name of some bytes. */
export type Digest = `sha256:${string}`;

const wholeDigest = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return wholeDigest.test(text);
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The 64 hex digits, without the algorithm. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** Twelve hex digits, as people are shown ids. */
export function shortId(id: string): string {
  return id.slice(id.indexOf(':') + 1).slice(0, 12);
}

/**
 * The chain id of each layer, lowest first, as 64 hex digits (OCI image spec, config.md, "Layer ChainID"): it names a
 * layer together with all that is under it.
 */
export function chainIds(diffIds: readonly Digest[]): string[] {
  let below: Digest | undefined;
  return diffIds.map((diffId) => {
    below = below === undefined ? diffId : digestOf(`${below} ${diffId}`);
    return hexOf(below);
  });
}

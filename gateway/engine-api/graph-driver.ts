import type { Peers } from '../peers.ts';

/** How long an inspect waits for what is not the answer's own. */
const tellMs = 500;

/** `GraphDriver` of an image or a container: where on this host the parts of its layer are, if that can be told now. */
export async function graphDriverJson({ layers }: Pick<Peers, 'layers'>, driver: string, id: string): Promise<object> {
  const directories = id === '' ? {} : await directoriesOf(layers, id);
  return { Name: driver, Data: Object.keys(directories).length > 0 ? directories : null };
}

async function directoriesOf(layers: Peers['layers'], id: string): Promise<Record<string, string>> {
  try {
    return (await layers.getLayer({ id }, { signal: AbortSignal.timeout(tellMs) })).layer?.directories ?? {};
  } catch {
    // The rest can be shown without.
    return {};
  }
}

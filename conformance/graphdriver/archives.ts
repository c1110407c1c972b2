import { createHash } from 'node:crypto';
import { tarOf, type WrittenEntry } from '../../fakes/archive/tar-writer.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type { ApplyLayerRequest, LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { newId } from '../common/session.ts';
import type { WireClient } from '../common/wire.ts';

export type Layers = WireClient<typeof LayerServiceDefinition>;

export interface LayerWish {
  id: string;
  parent?: string;
  expectedDiffId?: string;
  labels?: Record<string, string>;
}

/** The base layer of most tests. */
export const baseEntries: WrittenEntry[] = [
  { name: 'etc/' },
  { name: 'etc/motd', body: 'hello' },
  { name: 'etc/gone', body: 'soon' },
  { name: 'bin/' },
  { name: 'bin/tool', body: Buffer.alloc(3000, 7), mode: 0o755 },
];

export function diffIdOf(archive: Buffer): string {
  return `sha256:${createHash('sha256').update(archive).digest('hex')}`;
}

/** The frames of ApplyLayer with the archive in the stream. */
export async function* frames(
  wish: LayerWish,
  archive: Buffer,
  frameBytes = 1024 * 1024,
): AsyncGenerator<ApplyLayerRequest, void> {
  const header = {
    parent: '',
    expectedDiffId: '',
    labels: {},
    ...wish,
    source: { $case: 'stream', value: true } as const,
  };
  yield { frame: { $case: 'header', value: header } };
  for (let at = 0; at < archive.length; at += frameBytes) {
    yield { frame: { $case: 'chunk', value: archive.subarray(at, at + frameBytes) } };
  }
}

/** Makes a sealed layer and gives its id. */
export async function apply(layers: Layers, entries: readonly WrittenEntry[], wish: Partial<LayerWish> = {}) {
  const id = wish.id ?? newId();
  const { outcome } = await layers.applyLayer(frames({ ...wish, id }, tarOf(entries)));
  if (outcome !== Outcome.OUTCOME_DONE) throw new Error(`layer ${id} was not made: outcome ${outcome}`);
  return id;
}

/** Removes layers, children first. */
export async function removeAll(layers: Layers, ...ids: string[]): Promise<void> {
  for (const id of ids) await layers.removeLayer({ id });
}

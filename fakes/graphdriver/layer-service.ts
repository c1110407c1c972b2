import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ApplyLayerHeader,
  type ApplyLayerRequest,
  CreateLayerRequest,
  CreateLayerResponse,
  type LayerServiceImplementation,
  MountLayerRequest,
  MountLayerResponse,
  RemoveLayerRequest,
  RemoveLayerResponse,
  UnmountLayerRequest,
  UnmountLayerResponse,
} from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { isStillThere } from '../controlled.ts';
import type { Life } from '../fake.ts';
import { repeatable } from '../repeatable.ts';
import { changesOf } from './changes.ts';
import { errors } from './errors.ts';
import type { LayerMemory, LayerStore } from './layers.ts';

const frameBytes = 1024 * 1024;
const storageOptions = ['size'];

export function layerService(
  { records, dataRoot }: Life<LayerMemory>,
  store: LayerStore,
  needInit: () => unknown,
): LayerServiceImplementation {
  return {
    async applyLayer(frames, { signal }) {
      needInit();
      const { header, chunks } = await opened(frames);
      checkLabels(header.labels);
      const known = store.known(header);
      if (known !== undefined) return store.apply(header, Buffer.alloc(0));
      const path = header.source?.$case === 'path' ? header.source.value : undefined;
      const archive = path === undefined ? await joined(chunks) : await fileUnder(dataRoot, path);
      await isStillThere(signal);
      return store.apply(header, archive);
    },
    createLayer: repeatable(records, CreateLayerRequest, CreateLayerResponse, (request) => {
      needInit();
      checkLabels(request.labels);
      for (const option of Object.keys(request.storageOptions)) {
        if (!storageOptions.includes(option)) throw errors.badOption({ option });
      }
      return { outcome: store.create(request) };
    }),
    mountLayer: repeatable(records, MountLayerRequest, MountLayerResponse, ({ id, holder }) => {
      needInit();
      checkHolder(holder);
      return store.mount(id, holder);
    }),
    unmountLayer: repeatable(records, UnmountLayerRequest, UnmountLayerResponse, ({ id, holder }) => {
      needInit();
      checkHolder(holder);
      return { outcome: store.unmount(id, holder) };
    }),
    removeLayer: repeatable(records, RemoveLayerRequest, RemoveLayerResponse, ({ id, holder }) => {
      needInit();
      if (holder !== '') checkHolder(holder);
      return { outcome: store.remove(id, holder) };
    }),
    async getLayer({ id }) {
      needInit();
      return { layer: store.find(id).layer };
    },
    async *listLayers({ labels, writableOnly }) {
      needInit();
      for (const { layer } of store.all()) {
        const hasAll = Object.entries(labels).every(([key, value]) => layer.labels[key] === value);
        if (hasAll && (layer.writable || !writableOnly)) yield { layer };
      }
    },
    async *diffLayer({ id }) {
      needInit();
      const archive = store.archiveOf(store.find(id));
      for (let at = 0; at < archive.length; at += frameBytes) yield { chunk: archive.subarray(at, at + frameBytes) };
    },
    async *listChanges({ id }) {
      needInit();
      yield* changesOf(store, store.find(id));
    },
  };
}

/** The first frame is the header; the rest are the archive's bytes. */
async function opened(frames: AsyncIterable<ApplyLayerRequest>) {
  const iterator = frames[Symbol.asyncIterator]();
  const first = await iterator.next();
  const frame = first.done === true ? undefined : first.value.frame;
  if (frame?.$case !== 'header') throw errors.badRequest({ field: 'frame', problem: 'the first one is the header' });
  async function* chunks(): AsyncGenerator<Buffer, void> {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      const { frame: piece } = next.value;
      if (piece?.$case !== 'chunk') throw errors.badRequest({ field: 'frame', problem: 'a second header' });
      yield piece.value;
    }
  }
  const header: ApplyLayerHeader = frame.value;
  return { header, chunks: chunks() };
}

async function joined(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks));
}

async function fileUnder(dataRoot: string, path: string): Promise<Buffer> {
  if (path.split('/').includes('..')) throw errors.badRequest({ field: 'path', problem: 'leads out of the data root' });
  try {
    return await readFile(join(dataRoot, path));
  } catch (cause) {
    throw errors.badArchive({ entry: path, problem: 'cannot be read' }, { cause });
  }
}

function checkHolder(holder: string): void {
  if (holder === '') throw errors.badRequest({ field: 'holder', problem: 'is needed' });
}

function checkLabels(labels: Record<string, string>): void {
  for (const [key, value] of Object.entries(labels)) {
    if (Buffer.byteLength(key) + Buffer.byteLength(value) > 4096) {
      throw errors.badRequest({ field: 'labels', problem: `${key.slice(0, 64)} is longer than 4096 bytes` });
    }
  }
}

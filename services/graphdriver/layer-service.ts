import { expectCgroupJoin } from '../../kit/linux/cgroup-join.ts';
import { idempotent } from '../../kit/outcomes.ts';
import type { Records } from '../../kit/records.ts';
import { currentCall } from '../../kit/rpc/call.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  ApplyLayerHeader,
  ApplyLayerResponse,
  ChangeKind,
  CreateLayerRequest,
  CreateLayerResponse,
  type Layer,
  type LayerServiceImplementation,
  MountLayerRequest,
  MountLayerResponse,
  RemoveLayerRequest,
  RemoveLayerResponse,
  UnmountLayerRequest,
  UnmountLayerResponse,
} from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { archiveOf, takeHeader } from './archive-frames.ts';
import type { LayerAndHolders, Layers } from './layers.ts';
import * as check from './request-checks.ts';

const outcomes = { done: Outcome.OUTCOME_DONE, already: Outcome.OUTCOME_ALREADY, absent: Outcome.OUTCOME_ABSENT };

const changeKinds = {
  added: ChangeKind.CHANGE_KIND_ADDED,
  modified: ChangeKind.CHANGE_KIND_MODIFIED,
  deleted: ChangeKind.CHANGE_KIND_DELETED,
};

interface Given {
  /** Throws while no driver is open. */
  layers: () => Layers;
  records: Records;
  dataRoot: string;
}

/** LayerService on the layers of the open driver. */
export function layerService({ layers, records, dataRoot }: Given): LayerServiceImplementation {
  return {
    async applyLayer(frames, { signal }) {
      const { header, rest } = await takeHeader(frames);
      const wanted = {
        id: check.layerId('id', header.id),
        parent: check.optionalLayerId('parent', header.parent),
        labels: check.labels(header.labels),
        expectedDiffId: check.optionalDigest('expected_diff_id', header.expectedDiffId),
        archive: archiveOf(header, rest, { dataRoot, signal }),
      };
      return idempotent(mutation(records, ApplyLayerHeader, header, ApplyLayerResponse), (commit) =>
        layers().apply(wanted, ({ outcome, layer }, record) =>
          commit({ outcome: outcomes[outcome], layer: layerOf(layer) }, record),
        ),
      );
    },

    async createLayer(request) {
      const wanted = {
        id: check.layerId('id', request.id),
        parent: check.optionalLayerId('parent', request.parent),
        labels: check.labels(request.labels),
        options: request.storageOptions,
      };
      // It is for a container, which mostly starts at once.
      void expectCgroupJoin();
      return idempotent(mutation(records, CreateLayerRequest, request, CreateLayerResponse, 'kill'), (commit) =>
        layers().create(wanted, (outcome, record) => commit({ outcome: outcomes[outcome] }, record)),
      );
    },

    async mountLayer(request) {
      const id = check.layerId('id', request.id);
      const holder = check.holder(request.holder);
      void expectCgroupJoin();
      return idempotent(mutation(records, MountLayerRequest, request, MountLayerResponse, 'kill'), (commit) =>
        layers().mount(id, holder, request.hostIds, ({ outcome, path }, record) =>
          commit({ outcome: outcomes[outcome], path }, record),
        ),
      );
    },

    async unmountLayer(request) {
      const id = check.layerId('id', request.id);
      const holder = check.holder(request.holder);
      return idempotent(mutation(records, UnmountLayerRequest, request, UnmountLayerResponse, 'kill'), (commit) =>
        layers().unmount(id, holder, (outcome, record) => commit({ outcome: outcomes[outcome] }, record)),
      );
    },

    async removeLayer(request) {
      const id = check.layerId('id', request.id);
      const holder = request.holder === '' ? undefined : check.holder(request.holder);
      return idempotent(mutation(records, RemoveLayerRequest, request, RemoveLayerResponse, 'kill'), (commit) =>
        layers().remove(id, holder, (outcome, record) => commit({ outcome: outcomes[outcome] }, record)),
      );
    },

    async getLayer({ id, measure }) {
      const layer = await layers().find(check.layerId('id', id), { measure });
      return { layer: { ...layerOf(layer), directories: { ...layers().directories(layer) } } };
    },

    async *listLayers({ labels, writableOnly }) {
      const wanted = Object.entries(labels);
      for (const layer of layers().list()) {
        if (writableOnly && !layer.isWritable) continue;
        if (wanted.every(([key, value]) => layer.labels[key] === value)) yield { layer: layerOf(layer) };
      }
    },

    async *diffLayer({ id }, { signal }) {
      for await (const frame of layers().pack(check.layerId('id', id), signal)) {
        yield { chunk: Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength) };
      }
    },

    async *listChanges({ id }, { signal }) {
      for await (const changes of layers().listChanges(check.layerId('id', id), signal)) {
        for (const { path, kind } of changes) yield { path, kind: changeKinds[kind] };
      }
    },
  };
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** The present call as kit's outcomes want it. */
function mutation<Request, Response>(
  records: Records,
  request: Codec<Request>,
  message: Request,
  response: Codec<Response>,
  survives: 'power cut' | 'kill' = 'power cut',
) {
  return {
    records,
    call: currentCall(),
    request: request.encode(message).finish(),
    encode: (outcome: Response) => response.encode(outcome).finish(),
    decode: (bytes: Uint8Array) => response.decode(bytes),
    survives,
  };
}

function layerOf(layer: LayerAndHolders): Layer {
  return {
    id: layer.id,
    parent: layer.parent ?? '',
    writable: layer.isWritable,
    diffId: layer.diffId,
    size: layer.size,
    holders: layer.holders,
    labels: { ...layer.labels },
    createdAtNs: layer.createdAtNs,
    directories: {},
  };
}

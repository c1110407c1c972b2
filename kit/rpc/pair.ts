import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceImplementation } from 'nice-grpc';
import { VolumeServiceDefinition } from '../../proto/gen/longshore/volume/v1/volume.ts';
import { isServiceError, type ServiceError } from '../errors.ts';
import { silentLogger } from '../log.ts';
import { type Channel, dial } from './dial.ts';
import { createNeighbours } from './neighbours.ts';
import { type Served, type ServeOptions, serve, service } from './serve.ts';

// For the tests beside: both ends of a contract, over a socket of their own.

const { getVolume, removeVolume, listVolumes, watchVolumes } = VolumeServiceDefinition.methods;
export const contract = {
  ...VolumeServiceDefinition,
  methods: { getVolume, removeVolume, listVolumes, watchVolumes },
} as const;

export const plain: ServiceImplementation<typeof contract> = {
  async getVolume({ name }) {
    return { volume: { name } };
  },
  async removeVolume() {
    return {};
  },
  async *listVolumes() {
    yield { volume: { name: 'a' } };
    yield { volume: { name: 'b' } };
  },
  async *watchVolumes() {},
};

export interface Pair extends AsyncDisposable {
  dir: string;
  served: Served;
  channel: Channel;
  client: ReturnType<typeof clientOf>;
}

export const clientOf = (channel: Channel) => channel.client(contract);

export async function pair(
  implementation: Partial<typeof plain> = {},
  options: Partial<ServeOptions> = {},
): Promise<Pair> {
  const dir = mkdtempSync(join(tmpdir(), 'kit-rpc-'));
  const endpoint = `unix://${dir}/volume.sock`;
  const log = silentLogger();
  const services = [service(contract, { ...plain, ...implementation })];
  const served = await serve({ role: 'volume', listen: [endpoint], log, services, ...options });
  const { neighbours } = options;
  const channel = dial(served.endpoints[0] ?? endpoint, { role: 'daemon', log, neighbours });
  const close = async () => {
    channel.close();
    await served.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { dir, served, channel, client: clientOf(channel), [Symbol.asyncDispose]: close };
}

/** How both ends can be joined; what a call does must not depend on it. */
export const ways: readonly [how: string, options: () => Partial<ServeOptions>][] = [
  ['over a unix socket', () => ({})],
  ['between neighbours', () => ({ neighbours: createNeighbours() })],
];

export async function failure(work: Promise<unknown>): Promise<ServiceError> {
  const error = await work.then(
    () => assert.fail('it succeeded'),
    (thrown: unknown) => thrown,
  );
  assert(isServiceError(error), `not a ServiceError: ${error}`);
  return error;
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

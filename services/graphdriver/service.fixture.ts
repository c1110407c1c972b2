import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { archiveOf } from '../../kit/archive/archive.fixture.ts';
import { createMounts } from '../../kit/linux/mounts.ts';
import { silentLogger } from '../../kit/log.ts';
import { type Channel, dial, type PeerClient } from '../../kit/rpc/dial.ts';
import { endpointOf, type Running, type ServiceConfig, serviceConfig } from '../../kit/service.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/control.ts';
import { type ApplyLayerRequest, LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { type Surroundings, start } from './service.ts';

/** A data root of its own, the service on it, and clients over its socket. */
export interface TestService {
  config: ServiceConfig;
  engineId: string;
  control: PeerClient<typeof ControlServiceDefinition>;
  layers: PeerClient<typeof LayerServiceDefinition>;
  channel: Channel;
  /** Init with the next epoch. */
  init(driver?: string): Promise<{ driver: string; chosenBecause: string; passedOver: string[] }>;
  stop(): Promise<void>;
  start(surroundings?: Surroundings): Promise<void>;
}

/** Roots of a service, and what is to be undone at the test's end, the last first. */
export function testConfig(t: TestContext): { config: ServiceConfig; cleanUp: AsyncDisposableStack } {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-gd-'));
  const cleanUp = new AsyncDisposableStack();
  t.after(() => cleanUp.disposeAsync());
  cleanUp.defer(() => {
    const mounts = createMounts();
    for (const { target } of mounts.list(directory).reverse()) mounts.unmount(target, { detach: true });
    rmSync(directory, { recursive: true, force: true });
  });
  const config = serviceConfig({
    role: 'graphdriver',
    dataRoot: join(directory, 'root'),
    execRoot: join(directory, 'run'),
    log: silentLogger(),
  });
  return { config, cleanUp };
}

/** Clients of a service that runs, here or in a process of its own. */
export function clientsOf(config: ServiceConfig, cleanUp: AsyncDisposableStack) {
  const channel = dial(endpointOf(config, 'graphdriver'), { role: 'test', log: silentLogger() });
  cleanUp.defer(() => channel.close());
  const control = channel.client(ControlServiceDefinition);
  const engineId = createHash('md5').update(config.dataRoot).digest('hex');
  let epoch = 0;
  return {
    channel,
    control,
    engineId,
    layers: channel.client(LayerServiceDefinition),
    init(driver = '') {
      epoch += 1;
      return control.init({ fence: { engineId, epoch, bootId: '' }, driver, options: [] });
    },
  };
}

export async function testService(t: TestContext): Promise<TestService> {
  const { config, cleanUp } = testConfig(t);
  let running: Running | undefined;
  const service = {
    config,
    async stop() {
      await running?.stop();
      running = undefined;
    },
    async start(surroundings: Surroundings = {}) {
      running = await start(config, surroundings);
    },
  };
  cleanUp.defer(() => service.stop());
  await service.start();
  return { ...service, ...clientsOf(config, cleanUp) };
}

export function randomId(): string {
  return randomBytes(32).toString('hex');
}

/** ApplyLayer's frames for an archive that is sent along. */
export async function* framesOf(
  header: { id: string; parent?: string; expectedDiffId?: string; labels?: Record<string, string> },
  archive: Buffer | AsyncIterable<Buffer>,
): AsyncGenerator<ApplyLayerRequest, void, undefined> {
  const filled = {
    parent: '',
    expectedDiffId: '',
    labels: {},
    ...header,
    source: { $case: 'stream', value: true } as const,
  };
  yield { frame: { $case: 'header', value: filled } };
  if (!Buffer.isBuffer(archive)) {
    for await (const value of archive) yield { frame: { $case: 'chunk', value } };
    return;
  }
  for (let offset = 0; offset < archive.length; offset += 1024 * 1024) {
    yield { frame: { $case: 'chunk', value: archive.subarray(offset, offset + 1024 * 1024) } };
  }
}

export function digestOf(archive: Buffer): string {
  return `sha256:${createHash('sha256').update(archive).digest('hex')}`;
}

export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

/** Waits until something is so, for ten seconds at most. */
export async function until(what: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!what()) {
    assert.ok(Date.now() < end, `still not so: ${what}`);
    await delay(5);
  }
}

export const base = archiveOf(
  { path: 'etc', kind: 'directory' },
  { path: 'etc/hostname', content: 'base' },
  { path: 'bin/sh', content: '#!', mode: 0o755 },
);

/** Makes a sealed layer and gives its id. */
export async function sealed(service: TestService, archive = base, parent = ''): Promise<string> {
  const id = randomId();
  await service.layers.applyLayer(framesOf({ id, parent }, archive));
  return id;
}

/** A writable layer on a sealed one, mounted by c1. */
export async function box(service: TestService): Promise<{ id: string; parent: string; path: string }> {
  const parent = await sealed(service);
  const id = randomId();
  await service.layers.createLayer({ id, parent });
  const { path } = await service.layers.mountLayer({ id, holder: 'c1' });
  return { id, parent, path };
}

/** The names in overlay2's directory. */
/** But for the spare one, which comes in its own time. */
export const entriesOf = (service: TestService) =>
  readdirSync(join(service.config.dataRoot, 'overlay2'))
    .filter((name) => name !== 'spare')
    .sort();

export const isMounted = (path: string) => createMounts().list(path).length > 0;

/** Applies an archive that is a file below the data root; gives its diff id. */
export async function applyFile(service: TestService, path: string, id = randomId()): Promise<string> {
  const header = { id, parent: '', expectedDiffId: '', labels: {}, source: { $case: 'path', value: path } as const };
  const { layer } = await service.layers.applyLayer(
    (async function* () {
      yield { frame: { $case: 'header', value: header } as const };
    })(),
  );
  return layer?.diffId ?? '';
}

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
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
  init(driver?: string): Promise<{ driver: string; chosenBecause: string }>;
  stop(): Promise<void>;
  start(surroundings?: Surroundings): Promise<void>;
}

export function testConfig(t: TestContext): ServiceConfig {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-gd-'));
  const mounts = createMounts();
  t.after(() => {
    for (const { target } of mounts.list(directory).reverse()) mounts.unmount(target, { detach: true });
    rmSync(directory, { recursive: true, force: true });
  });
  return serviceConfig({
    role: 'graphdriver',
    dataRoot: join(directory, 'root'),
    execRoot: join(directory, 'run'),
    log: silentLogger(),
  });
}

/** Clients of a service that runs, here or in a process of its own. */
export function clientsOf(t: TestContext, config: ServiceConfig, epochs = { last: 0 }) {
  const channel = dial(endpointOf(config, 'graphdriver'), { role: 'test', log: silentLogger() });
  t.after(() => channel.close());
  const control = channel.client(ControlServiceDefinition);
  const engineId = createHash('md5').update(config.dataRoot).digest('hex');
  return {
    channel,
    control,
    engineId,
    layers: channel.client(LayerServiceDefinition),
    init: (driver = '') => {
      epochs.last += 1;
      return control.init({ fence: { engineId, epoch: epochs.last, bootId: '' }, driver, options: [] });
    },
  };
}

export async function testService(t: TestContext): Promise<TestService> {
  const config = testConfig(t);
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
  // The first to be registered is the last to run: the clients close before.
  t.after(() => service.stop());
  await service.start();
  return { ...service, ...clientsOf(t, config) };
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

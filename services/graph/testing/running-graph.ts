import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { silentLogger } from '../../../kit/log.ts';
import { type Running, serviceConfig } from '../../../kit/service.ts';
import { start } from '../service.ts';
import { afterwards } from './cleanup.ts';
import { type FakeLayers, serveFakeLayers } from './fake-layers.ts';
import { dialGraph, type GraphClient, initialise } from './graph-client.ts';

export interface RunningGraph extends GraphClient {
  fake: FakeLayers;
  dataRoot: string;
  socket: string;
  /** The service alone, on the same root; the clients go on. */
  stop(): Promise<void>;
  start(): Promise<void>;
  restart(): Promise<void>;
  blobs(): Promise<string[]>;
}

/** A root of its own, a layer store in memory, and the service over it; all gone after the test. */
export async function startGraph(t: TestContext, options: { initialised?: boolean } = {}): Promise<RunningGraph> {
  const { dataRoot, execRoot } = await makeRoots(t);
  const fake = await serveFakeLayers(join(execRoot, 'graphdriver.sock'), dataRoot);
  const config = serviceConfig({ role: 'graph', dataRoot, execRoot, log: silentLogger() });
  let running: Running = await start(config);
  const socket = join(execRoot, 'graph.sock');
  const client = dialGraph(`unix://${socket}`);
  afterwards(t, async () => {
    client.channel.close();
    await running.stop();
    await fake.stop();
  });
  if (options.initialised !== false) await initialise(client, fake);
  return {
    ...client,
    fake,
    dataRoot,
    socket,
    stop: () => running.stop(),
    async start() {
      running = await start(config);
    },
    async restart() {
      await running.stop();
      running = await start(config);
    },
    blobs: () => readdir(join(dataRoot, 'graph', 'blobs', 'sha256')),
  };
}

export async function makeRoots(t: TestContext): Promise<{ dataRoot: string; execRoot: string }> {
  const root = await mkdtemp(join(tmpdir(), 'longshore-graph-'));
  afterwards(t, () => rm(root, { recursive: true, force: true }));
  return { dataRoot: join(root, 'data'), execRoot: join(root, 'run') };
}

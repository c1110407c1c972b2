import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMounts } from '../../kit/linux/mounts.ts';
import { silentLogger } from '../../kit/log.ts';
import { dial } from '../../kit/rpc/dial.ts';
import { type Running, serviceConfig } from '../../kit/service.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/volume/v1/control.ts';
import { VolumeServiceDefinition } from '../../proto/gen/longshore/volume/v1/volume.ts';
import { type Surroundings, start } from './service.ts';

export const engineId = 'e1'.repeat(16);
export const anonymousName = 'a'.repeat(64);

/** A service on roots of its own, spoken to over its socket. */
export async function runningService(surroundings: Surroundings = {}) {
  const root = mkdtempSync(join(tmpdir(), 'longshore-volume-'));
  const log = silentLogger();
  const config = serviceConfig({ role: 'volume', dataRoot: join(root, 'data'), execRoot: join(root, 'exec'), log });
  let running: Running = await start(config, surroundings);
  const channel = dial(`unix://${config.execRoot}/volume.sock`, { role: 'daemon', log });
  const control = channel.client(ControlServiceDefinition);
  const volumes = channel.client(VolumeServiceDefinition);
  await control.init({ fence: { engineId, epoch: 1 } });
  return {
    root,
    control,
    volumes,
    dataOf: (name: string) => join(config.dataRoot, 'volumes', name, '_data'),
    /** As after a crash, or with other surroundings. */
    async restart(others: Surroundings = surroundings) {
      await running.stop();
      running = await start(config, others);
    },
    async [Symbol.asyncDispose]() {
      channel.close();
      await running.stop();
      const mounts = createMounts();
      for (const { target } of mounts.list(root).reverse()) mounts.unmount(target, { detach: true });
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export type RunningService = Awaited<ReturnType<typeof runningService>>;

export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

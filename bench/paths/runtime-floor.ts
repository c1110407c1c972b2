import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxTar } from '../../integration-tests/images.ts';
import { timeCommand } from '../client/command.ts';
import { create, remove, start } from '../client/container.ts';
import type { Contestant } from '../contestants/contestant.ts';
import { findProgram } from '../host/programs.ts';

/** The parts of an OCI runtime configuration that are changed here. */
interface RuntimeConfig {
  process: { args: string[]; terminal?: boolean };
  root: { path: string };
  mounts: { source?: string; type?: string; options?: string[] }[];
  hooks?: unknown;
  linux: { cgroupsPath?: string; namespaces: { type: string; path?: string }[] };
}

/**
 * Takes the bundle that an engine writes for a container and makes it run without the engine: `true` on a root filesystem
 * of its own, in an empty network namespace. Answers a function that runs it once and tells the ms.
 */
export async function prepareRuntimeFloor(owner: Contestant, scratch: string): Promise<() => Promise<number>> {
  const file = findProgram('crun');
  if (file === undefined) throw new Error('crun is not installed');
  const bundle = join(scratch, 'bundle');
  const rootfs = join(bundle, 'rootfs');
  mkdirSync(rootfs, { recursive: true });
  execFileSync('tar', ['-x', '-C', rootfs], { input: busyboxTar() });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(standAlone(await writtenConfig(owner), rootfs)));
  const command = { file, environment: {} };
  const run = () => {
    const id = `lsb-${randomBytes(6).toString('hex')}`;
    return timeCommand(command, [
      '--root',
      join(scratch, 'crun'),
      '--cgroup-manager',
      'cgroupfs',
      'run',
      '-b',
      bundle,
      id,
    ]);
  };
  await run();
  return run;
}

async function writtenConfig(owner: Contestant): Promise<RuntimeConfig> {
  const id = await create(owner.api, { command: ['sleep', '60'] });
  try {
    await start(owner.api, id);
    for (const path of globSync(join(owner.folder, `**/*${id}*/**/config.json`))) {
      const config = JSON.parse(readFileSync(path, 'utf8'));
      if (typeof config.ociVersion === 'string') return config;
    }
    throw new Error(`${owner.title} wrote no bundle below ${owner.folder}`);
  } finally {
    await remove(owner.api, id);
  }
}

function standAlone(config: RuntimeConfig, rootfs: string): RuntimeConfig {
  const { hooks: _, ...rest } = config;
  return {
    ...rest,
    process: { ...config.process, args: ['true'], terminal: false },
    root: { ...config.root, path: rootfs },
    // What is bound from elsewhere went with the container.
    mounts: config.mounts.filter(
      ({ type, options = [] }) => type !== 'bind' && !options.some((word) => /^r?bind$/.test(word)),
    ),
    linux: {
      ...config.linux,
      cgroupsPath: '/lsb-floor',
      namespaces: config.linux.namespaces.map(({ path: _, ...namespace }) => namespace),
    },
  };
}

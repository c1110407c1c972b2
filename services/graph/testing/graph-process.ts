import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { afterwards } from './cleanup.ts';
import { dialGraph, type GraphClient } from './graph-client.ts';

export interface ServiceProcess {
  /** SIGKILL: nothing of it runs any more when this is done. */
  kill(): Promise<void>;
  /** What it has logged. */
  log(): string;
}

/** Runs a service of this checkout as a process of its own; it is killed with the test. */
export function spawnService(
  t: TestContext,
  role: 'graph' | 'graphdriver',
  roots: { dataRoot: string; execRoot: string },
  more: readonly string[] = [],
): ServiceProcess {
  const main = fileURLToPath(new URL(`../../${role}/main.ts`, import.meta.url));
  const args = [main, '--data-root', roots.dataRoot, '--exec-root', roots.execRoot, ...more];
  const child: ChildProcess = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const exited = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  afterwards(t, kill);
  return { kill, log: () => log };
}

/** A client of the graph service under a root, once that answers. */
export async function connectGraph(t: TestContext, execRoot: string): Promise<GraphClient> {
  const client = dialGraph(`unix://${execRoot}/graph.sock`);
  afterwards(t, () => client.channel.close());
  if (!(await client.channel.ready(20_000))) throw new Error('the graph service did not start');
  return client;
}

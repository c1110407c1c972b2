import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The service as a process of its own, so that it can be killed. */
export interface Elsewhere {
  readonly isRunning: boolean;
  start(): void;
  /** SIGKILL, as by the kernel or a person. */
  kill(): Promise<void>;
}

export function serviceElsewhere(flags: readonly string[]): Elsewhere {
  let child: ChildProcess | undefined;
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    get isRunning() {
      return isRunning();
    },
    start() {
      const stderr = process.env.TEST_LOG === undefined ? 'ignore' : 'inherit';
      child = spawn(process.execPath, [main, ...flags], { stdio: ['ignore', 'ignore', stderr] });
    },
    async kill() {
      if (child === undefined || !isRunning()) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { answersPing } from '../client/api.ts';
import { endProcess } from '../host/processes.ts';
import { startPatienceMs, stopPatienceMs } from './contestant.ts';

/** A peer's daemon as a child process. */
export interface DaemonProcess {
  output(): string;
  /** Resolves when the API answers, with the ms that took from exec on. */
  start(): Promise<number>;
  stop(): Promise<void>;
}

export interface DaemonSpec {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly socket: string;
  /** What it prints goes here. */
  readonly log: string;
}

export function daemonProcess({ file, args, environment, socket, log }: DaemonSpec): DaemonProcess {
  let child: ChildProcess | undefined;
  const read = () => readFileSync(log, 'utf8');
  return {
    output: read,
    async start() {
      const output = openSync(log, 'w');
      const begun = performance.now();
      const started = spawn(file, args, { stdio: ['ignore', output, output], env: { ...process.env, ...environment } });
      child = started;
      closeSync(output);
      const patience = new AbortController();
      const signal = AbortSignal.any([patience.signal, AbortSignal.timeout(startPatienceMs)]);
      const ended = once(started, 'exit', { signal }).then(([code]) => {
        throw new Error(`${file} ended with ${code}: ${read().slice(-500)}`);
      });
      const answers = answersPing(socket, signal).then(() => performance.now() - begun);
      try {
        return await Promise.race([answers, ended]);
      } finally {
        // Whichever is late doesn't matter any more.
        for (const late of [answers, ended]) late.catch(() => {});
        patience.abort();
      }
    },
    async stop() {
      if (child?.pid === undefined) return;
      const ended = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, 'exit');
      await Promise.all([ended, endProcess(child.pid, stopPatienceMs)]);
      child = undefined;
    },
  };
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Engine, until } from '../engine.ts';

/** The docker CLI at work: what it has said, and what it is told. */
export interface Session {
  output(): string;
  type(keys: string): void;
  /** Waits until it has said this. */
  says(words: string): Promise<void>;
  /** Its exit code. */
  readonly ended: Promise<number>;
}

export function startDocker(engine: Engine, args: string[]): Session {
  return session(spawn('docker', args, { env: environment(engine), stdio: 'pipe' }));
}

/** With a terminal of this size, as script(1) makes one. */
export function onTerminal(engine: Engine, args: string[], size: { rows: number; columns: number }): Session {
  const quoted = ['docker', ...args].map((word) => `'${word}'`).join(' ');
  const command = `stty rows ${size.rows} cols ${size.columns}; exec ${quoted}`;
  return session(spawn('script', ['-qec', command, '/dev/null'], { env: environment(engine), stdio: 'pipe' }));
}

function environment(engine: Engine) {
  return { ...process.env, DOCKER_HOST: engine.host, TERM: 'xterm', SHELL: '/bin/sh' };
}

function session(child: ChildProcess): Session {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  return {
    output: () => output,
    type: (keys) => void child.stdin?.write(keys),
    says: (words) => until(() => output.includes(words), 20_000),
    ended: once(child, 'close').then(([code]) => Number(code)),
  };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A client program, ready to take a verb and its arguments. */
export interface Command {
  readonly file: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs the client to its end and answers how long that took, in ms. Throws when it fails, with what it said. */
export async function timeCommand(command: Command, args: readonly string[], timeoutMs = 90_000): Promise<number> {
  const begun = performance.now();
  const child = spawn(command.file, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...command.environment },
    timeout: timeoutMs,
  });
  let complaint = '';
  child.stderr.on('data', (chunk) => (complaint += chunk));
  const [code, signal] = await once(child, 'exit');
  const took = performance.now() - begun;
  if (code !== 0) throw new Error(`${command.file} ${args.join(' ')}: ${signal ?? code} ${complaint.trim()}`);
  return took;
}

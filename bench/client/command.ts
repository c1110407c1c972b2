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

/** Begins many at once and waits for all; a shell does, since Node takes milliseconds to begin each of them. */
const together = `
many=$1; shift
while [ "$many" -gt 0 ]; do "$@" & pids="$pids $!"; many=$((many - 1)); done
for pid in $pids; do wait "$pid" || failed=$?; done
exit "\${failed:-0}"`;

/** Runs the client many times at the same moment: the ms until the last one is back. Throws when one of them fails. */
export function timeTogether(command: Command, args: readonly string[], many: number): Promise<number> {
  const { environment } = command;
  return timeCommand({ file: 'sh', environment }, ['-c', together, 'sh', String(many), command.file, ...args]);
}

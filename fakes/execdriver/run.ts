import type { ContainerSpec } from '../../proto/gen/longshore/execdriver/v1/spec.ts';
import { createInput, type Input } from './input.ts';
import type { Log } from './log.ts';
import type { Program, Stream } from './program.ts';

export interface Ending {
  code: number;
  oomKilled: boolean;
}

/** Hears what a run writes, and its end after all of that. */
export interface Listener {
  output(stream: Stream, bytes: Buffer): void;
  ended(ending: Ending): void;
}

/** One generation of a container: a process that runs once. Nothing happens before `begin`. */
export interface Run {
  readonly generation: number;
  readonly spec: ContainerSpec;
  readonly input: Input;
  readonly ended: Promise<Ending>;
  readonly ending: Ending | undefined;
  readonly isPaused: boolean;
  begin(): void;
  write(stream: Stream, bytes: Buffer | string): void;
  /** False: it is not one that ends a process. */
  signal(number: number): boolean;
  pause(): void;
  resume(): void;
  /** It ends now. */
  end(ending: Ending): void;
  listen(listener: Listener): () => void;
}

const sigkill = 9;
/** Those that do not end a process by default, see signal(7): CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH. */
const harmless = [0, 17, 18, 19, 20, 21, 22, 23, 28];

export function createRun(parts: { generation: number; spec: ContainerSpec; program: Program; log: Log }): Run {
  const { generation, spec, program, log } = parts;
  const input = createInput();
  if (!spec.openStdin) input.end();
  const killed = new AbortController();
  const ended = Promise.withResolvers<Ending>();
  const listeners = new Set<Listener>();
  let ending: Ending | undefined;
  /** What waits for the thaw. */
  let frozen: (() => void)[] | undefined;
  const whenThawed = (work: () => void) => (frozen === undefined ? work() : void frozen.push(work));

  const write = (stream: Stream, output: Buffer | string) => {
    if (ending !== undefined) return;
    const bytes = Buffer.from(output);
    const shown = spec.tty ? 'stdout' : stream;
    log.write(shown, bytes);
    for (const listener of listeners) listener.output(shown, bytes);
  };
  const end = (how: Ending) => {
    if (ending !== undefined) return;
    ending = how;
    killed.abort();
    input.end();
    log.flush();
    ended.resolve(how);
    for (const listener of [...listeners]) listener.ended(how);
  };
  const world = {
    input,
    killed: killed.signal,
    write: (stream: Stream, bytes: Buffer | string) => whenThawed(() => write(stream, bytes)),
  };

  return {
    generation,
    spec,
    input,
    ended: ended.promise,
    get ending() {
      return ending;
    },
    get isPaused() {
      return frozen !== undefined;
    },
    begin() {
      // After the present call, so that a caller hears of the start before the end.
      setImmediate(() => {
        program(world).then(
          (code) => whenThawed(() => end({ code, oomKilled: false })),
          () => end({ code: 255, oomKilled: false }),
        );
      });
    },
    write,
    signal(number) {
      if (harmless.includes(number)) return false;
      const die = () => end({ code: 128 + number, oomKilled: false });
      if (number === sigkill) die();
      else whenThawed(die);
      return true;
    },
    pause() {
      frozen ??= [];
    },
    resume() {
      const waiting = frozen ?? [];
      frozen = undefined;
      for (const work of waiting) work();
    },
    end,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

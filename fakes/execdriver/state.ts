import type { ContainerProcess } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import type { ContainerSpec } from '../../proto/gen/longshore/execdriver/v1/spec.ts';
import type { ContainerMemory, ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import type { Stream } from './program.ts';

/** What a test sees of the containers and makes them do. */
export interface ContainerState {
  readonly containers: ReadonlyMap<string, ContainerProcess>;
  specOf(id: string): ContainerSpec;
  sizeOf(id: string): { rows: number; columns: number } | undefined;
  /** All that it wrote, both streams. */
  output(id: string): string;
  /** The process ends by itself. */
  exit(id: string, code: number): void;
  /** The kernel kills it for its memory: exit 137. */
  oom(id: string): void;
  write(id: string, stream: Stream, bytes: Buffer | string): void;
  /** Something is written to its stdin, as by an attached client. */
  input(id: string, bytes: Buffer | string): void;
}

export function createState({ containers }: ContainerMemory, store: ContainerStore): ContainerState {
  const living = (id: string) => {
    const run = store.living(id);
    if (run === undefined) throw errors.notRunning({ id });
    return run;
  };
  return {
    get containers() {
      return new Map(store.processes().map((process) => [process.id, process]));
    },
    specOf(id) {
      const run = containers.get(id)?.current?.run;
      if (run === undefined) throw errors.containerNotFound({ id });
      return run.spec;
    },
    sizeOf: (id) => store.size(id),
    output: (id) =>
      Buffer.concat(
        store
          .log(id)
          .lines()
          .map(({ line }) => line),
      ).toString(),
    exit: (id, code) => living(id).end({ code, oomKilled: false }),
    oom: (id) => living(id).end({ code: 137, oomKilled: true }),
    write: (id, stream, bytes) => living(id).write(stream, bytes),
    input: (id, bytes) => living(id).input.push(Buffer.from(bytes)),
  };
}

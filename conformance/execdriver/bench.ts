import type { ControlServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/control.ts';
import type { ExecServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { FileServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/files.ts';
import type { ExitFact, ProcessServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { ContainerSpec } from '../../proto/gen/longshore/execdriver/v1/spec.ts';
import type {
  AttachRequest,
  AttachResponse,
  StreamServiceDefinition,
} from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { UsageServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import { newId, type Session } from '../common/session.ts';
import type { WireClient } from '../common/wire.ts';

export type SpecWish = Parameters<typeof ContainerSpec.fromPartial>[0];

/** The initialised implementation; to be asked for within a test. */
export interface Bench {
  session: Session;
  control: WireClient<typeof ControlServiceDefinition>;
  processes: WireClient<typeof ProcessServiceDefinition>;
  streams: WireClient<typeof StreamServiceDefinition>;
  execs: WireClient<typeof ExecServiceDefinition>;
  usage: WireClient<typeof UsageServiceDefinition>;
  files: WireClient<typeof FileServiceDefinition>;
  reinit(): Promise<unknown>;
  spec(args: readonly string[], wish?: SpecWish): ContainerSpec;
  /** Starts a container and gives its id. */
  run(args: readonly string[], wish?: SpecWish): Promise<string>;
  exit(id: string, generation?: number): Promise<ExitFact | undefined>;
  /** Kills what lives and removes them. */
  remove(...ids: string[]): Promise<void>;
}

export type Current = () => Bench;

const sigkill = 9;

export function benchOf(
  rootPath: string,
  parts: Pick<Bench, 'session' | 'control' | 'processes' | 'streams' | 'execs' | 'usage' | 'files' | 'reinit'>,
): Bench {
  const { processes } = parts;
  const bench: Bench = {
    ...parts,
    spec: (args, wish = {}) =>
      ContainerSpec.fromPartial({ rootPath, args: [...args], env: ['PATH=/bin'], hostname: 'box', ...wish }),
    async run(args, wish) {
      const id = newId();
      await processes.startContainer({ id, generation: 1, spec: bench.spec(args, wish) });
      return id;
    },
    async exit(id, generation = 0) {
      const [answer] = await Array.fromAsync(processes.waitContainer({ id, generation }));
      return answer?.exit;
    },
    async remove(...ids) {
      for (const id of ids) {
        await processes.signalContainer({ id, signal: sigkill, all: true });
        await bench.exit(id).catch(() => undefined);
        await processes.removeContainer({ id });
      }
    },
  };
  return bench;
}

type AttachFrame = AttachRequest['frame'];

/** An attached client under a test's hand. */
export interface Attached {
  /** The next message; undefined: it has ended. */
  next(): Promise<AttachResponse['frame']>;
  send(frame: AttachFrame): void;
  /** It sends nothing more. */
  endInput(): void;
  /** All messages to come, until the end. */
  rest(): Promise<AttachResponse['frame'][]>;
  /** Reads until this much was written to stdout. */
  until(text: string): Promise<void>;
  detach(): Promise<void>;
}

export function attachTo(
  { streams }: Bench,
  open: { id: string; stdin?: boolean; logs?: boolean; follow?: boolean; generation?: number; stderr?: boolean },
): Attached {
  const leaving = new AbortController();
  const queue: AttachFrame[] = [{ $case: 'open', value: { ...openDefaults, ...open } }];
  let isOver = false;
  let more = Promise.withResolvers<void>();
  const wake = () => {
    more.resolve();
    more = Promise.withResolvers();
  };
  async function* frames() {
    for (;;) {
      const frame = queue.shift();
      if (frame !== undefined) yield { frame };
      else if (isOver) return;
      else await more.promise;
    }
  }
  const messages = streams.attach(frames(), { signal: leaving.signal })[Symbol.asyncIterator]();
  const attached: Attached = {
    async next() {
      const next = await messages.next();
      return next.done === true ? undefined : next.value.frame;
    },
    send(frame) {
      queue.push(frame);
      wake();
    },
    endInput() {
      isOver = true;
      wake();
    },
    async rest() {
      const all: AttachResponse['frame'][] = [];
      for (let frame = await attached.next(); frame !== undefined; frame = await attached.next()) all.push(frame);
      return all;
    },
    async until(text) {
      let seen = '';
      while (!seen.includes(text)) {
        const frame = await attached.next();
        if (frame === undefined) throw new Error(`the stream ended before ${JSON.stringify(text)} came: ${seen}`);
        if (frame.$case === 'stdout') seen += frame.value.toString();
      }
    },
    async detach() {
      leaving.abort();
      await messages.return?.().catch(() => undefined);
    },
  };
  return attached;
}

const openDefaults = {
  id: '',
  stdin: false,
  stdout: true,
  stderr: true,
  logs: false,
  follow: true,
  generation: 0,
};

/** The bytes of one stream among messages. */
export function textOf(frames: readonly AttachResponse['frame'][], stream: 'stdout' | 'stderr'): string {
  return frames.map((frame) => (frame?.$case === stream ? frame.value.toString() : '')).join('');
}

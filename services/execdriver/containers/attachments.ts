import type { ServiceError } from '../../../kit/errors.ts';
import type { Paths } from '../paths.ts';
import { tellTerminalSize } from '../runtime/conmon.ts';
import { Client, type OutputStream } from '../stdio/client.ts';
import type { Hub } from '../stdio/hub.ts';
import type { Container } from './container.ts';

export interface TerminalSize {
  rows: number;
  columns: number;
}

/** One client that is attached to a container, or will be when the container starts. */
export interface Attachment {
  readonly client: Client;
  /** Waits for the start, and for room. */
  write(bytes: Uint8Array): Promise<void>;
  closeInput(): void;
  close(): void;
}

interface Waiting {
  client: Client;
  generation: number;
  stdin: boolean;
  joined: PromiseWithResolvers<{ hub: Hub; container: Container } | undefined>;
}

/** Clients and terminal sizes of containers, also of those that are not started yet. */
export interface Attachments {
  /** `generation` 0: the living one, or the next that starts. */
  attach(id: string, wanted: { streams: Iterable<OutputStream>; stdin: boolean; generation: number }): Attachment;
  resize(id: string, size: TerminalSize): void;
  /** What was told before the start. */
  sizeOf(id: string): TerminalSize | undefined;
  /** To be called between create and start: who waits sees the first byte. */
  joinWaiting(container: Container): void;
  /** Tells those who wait that there will be nothing. */
  failWaiting(id: string, error: ServiceError): void;
}

export function openAttachments(containers: ReadonlyMap<string, Container>, paths: Paths): Attachments {
  const waiting = new Map<string, Set<Waiting>>();
  const sizes = new Map<string, TerminalSize>();

  const join = (container: Container, entry: Waiting) => {
    const { client, joined } = entry;
    let hub: Hub | undefined;
    try {
      hub = container.connect(paths.bundleOf(container.record.id));
    } catch {
      // The monitor is gone: there is nothing to be seen any more but the end.
    }
    hub?.join(client);
    joined.resolve(hub && { hub, container });
    // Everything has been delivered when the monitor hangs up, and the code is known when the fact is.
    void Promise.all([hub?.ended, container.ended]).then(([, fact]) => client.finish(fact.code));
  };

  const leave = (id: string, entry: Waiting) => {
    waiting.get(id)?.delete(entry);
    if (waiting.get(id)?.size === 0) waiting.delete(id);
    entry.client.close();
    void entry.joined.promise.then((joined) => {
      if (!joined) return;
      joined.hub.leave(entry.client);
      const { stdinOnce, tty } = joined.container.record.terms;
      // As Docker: the client that gave the input is gone, so is the input.
      if (entry.stdin && stdinOnce && !tty) joined.hub.closeInput();
      joined.container.disconnectIfUnused();
    });
    entry.joined.resolve(undefined);
  };

  return {
    attach(id, wanted) {
      const client = new Client(wanted.streams);
      const entry: Waiting = {
        client,
        generation: wanted.generation,
        stdin: wanted.stdin,
        joined: Promise.withResolvers(),
      };
      const container = containers.get(id);
      const isThis = wanted.generation === 0 || container?.record.generation === wanted.generation;
      if (container?.isLiving && isThis) {
        join(container, entry);
      } else if (
        container?.record.exit &&
        wanted.generation !== 0 &&
        wanted.generation <= container.record.generation
      ) {
        client.finish(container.record.exit.code);
        entry.joined.resolve(undefined);
      } else {
        const others = waiting.get(id) ?? new Set();
        waiting.set(id, others.add(entry));
      }
      return {
        client,
        async write(bytes) {
          const joined = entry.stdin ? await entry.joined.promise : undefined;
          await joined?.hub.write(bytes);
        },
        closeInput() {
          void entry.joined.promise.then((joined) => {
            const { stdinOnce, tty } = joined?.container.record.terms ?? { stdinOnce: false, tty: false };
            if (entry.stdin && stdinOnce && !tty) joined?.hub.closeInput();
          });
        },
        close: () => leave(id, entry),
      };
    },

    resize(id, size) {
      const container = containers.get(id);
      if (container?.isLiving) {
        tellTerminalSize(paths.bundleOf(id), within(size.rows), within(size.columns));
        return;
      }
      // Before the start the size is kept for the runtime. Of those that never start the oldest are forgotten.
      sizes.delete(id);
      sizes.set(id, { rows: within(size.rows), columns: within(size.columns) });
      const oldest = sizes.keys().next().value;
      if (sizes.size > mostSizes && oldest !== undefined) sizes.delete(oldest);
    },

    sizeOf: (id) => sizes.get(id),

    joinWaiting(container) {
      const { id, generation } = container.record;
      for (const entry of waiting.get(id) ?? []) {
        if (entry.generation > generation) continue;
        waiting.get(id)?.delete(entry);
        join(container, entry);
      }
      if (waiting.get(id)?.size === 0) waiting.delete(id);
      const size = sizes.get(id);
      sizes.delete(id);
      // Again, for what was told while the runtime was at work.
      if (size) tellTerminalSize(paths.bundleOf(id), size.rows, size.columns);
    },

    failWaiting(id, error) {
      const entries = waiting.get(id) ?? [];
      waiting.delete(id);
      sizes.delete(id);
      for (const entry of entries) {
        entry.client.fail(error);
        entry.joined.resolve(undefined);
      }
    },
  };
}

/** The monitor takes no more than this. */
const largestTerminal = 1000;

const within = (size: number) => Math.min(size, largestTerminal);

const mostSizes = 1000;

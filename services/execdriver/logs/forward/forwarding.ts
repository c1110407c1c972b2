import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../../../kit/errors.ts';
import type { Logger } from '../../../../kit/log.ts';
import type { Container } from '../../containers/container.ts';
import type { Paths } from '../../paths.ts';
import { cursorFile } from '../changes.ts';
import type { LogLine } from '../lines.ts';
import { readLog } from '../reader.ts';
import type { Destination, Target } from './destination.ts';

/**
 * Sends what containers log on to other logs: it reads the file that the monitor writes, from where it came to the last time.
 * So nothing is lost while this service or the receiver is down, and neither can hold up a container. What was sent just before a
 * death of this service is sent twice.
 */
export interface Forwarding {
  /** Sends on what there is, and what comes up to the container's end; once. Does nothing for what is only kept. */
  follow(container: Container): void;
  /** Waits for a while until all of an ended container is sent, then gives up. */
  finish(id: string): Promise<void>;
  close(): void;
}

const finishMs = 2_000;
const [firstRetryMs, lastRetryMs] = [100, 10_000];

export function openForwarding({ paths, log }: { paths: Paths; log: Logger }): Forwarding {
  const following = new Map<string, { container: Container; done: Promise<void>; stop: AbortController }>();

  const forward = async (container: Container, signal: AbortSignal) => {
    const { id } = container.record;
    const target = await targetOf(container);
    if (target === undefined) return;
    const directory = paths.logDirectoryOf(id);
    let destination: Destination | undefined;
    const deliver = async (lines: readonly LogLine[]) => {
      const messages = lines.flatMap((line) => target.format(line));
      for (let retryMs = firstRetryMs; ; retryMs = Math.min(2 * retryMs, lastRetryMs)) {
        try {
          destination ??= await target.open();
          await destination.send(messages);
          return;
        } catch (error) {
          destination?.close();
          destination = undefined;
          if (retryMs === firstRetryMs) {
            log.warn(
              { container: id.slice(0, 12) },
              `its log cannot be sent on to ${target.name}: ${messageOf(error)}`,
            );
          }
          await delay(retryMs, undefined, { ref: false, signal });
        }
      }
    };
    const query = {
      streams: new Set(['stdout', 'stderr'] as const),
      tail: undefined,
      sinceNs: 0n,
      untilNs: 0n,
      until: container.isLiving ? container.ended.then(() => {}) : undefined,
      after: readCursor(directory),
    };
    try {
      for await (const { lines, cursor } of readLog(directory, query, signal)) {
        for (let at = 0; at < lines.length; at += linesAtOnce) await deliver(lines.slice(at, at + linesAtOnce));
        if (existsSync(directory)) writeCursor(directory, cursor);
      }
    } finally {
      destination?.close();
    }
  };

  return {
    follow(container) {
      const { id, terms } = container.record;
      if (terms.sentLog === undefined) return;
      const before = following.get(id);
      if (before?.container === container) return;
      const stop = new AbortController();
      const done = (async () => {
        // Of the generation before, the end.
        await before?.done;
        await forward(container, stop.signal).catch((error: unknown) => {
          if (!stop.signal.aborted)
            log.error({ err: error, container: id.slice(0, 12) }, 'its log is not sent on any more');
        });
        if (following.get(id)?.stop === stop) following.delete(id);
      })();
      following.set(id, { container, done, stop });
    },
    async finish(id) {
      const known = following.get(id);
      if (known === undefined) return;
      await Promise.race([known.done, delay(finishMs, undefined, { ref: false })]);
      known.stop.abort();
    },
    close() {
      for (const { stop } of following.values()) stop.abort();
    },
  };
}

const linesAtOnce = 256;

/** Loaded when it is needed: most engines never do. */
async function targetOf({ record }: Container): Promise<Target | undefined> {
  const { sentLog, containerName } = record.terms;
  if (sentLog?.driver === 'syslog') return (await import('./syslog.ts')).syslogTarget(sentLog);
  if (sentLog?.driver !== 'journald') return undefined;
  return (await import('./journald.ts')).journaldTarget(sentLog, { id: record.id, name: containerName });
}

function readCursor(directory: string): string {
  try {
    return readFileSync(join(directory, cursorFile), 'utf8');
  } catch {
    return '';
  }
}

function writeCursor(directory: string, cursor: string): void {
  const path = join(directory, cursorFile);
  writeFileSync(`${path}.new`, cursor);
  renameSync(`${path}.new`, path);
}

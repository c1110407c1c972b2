import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../../kit/errors.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { Mount } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';

/** A file system that is there tells of a path within this. */
const answersWithinMs = 10_000;

/**
 * Makes missing sources of binds that ask for it, as directories of root's. They stay, whatever becomes of the container.
 * Throws BAD_SPEC for others that are missing. (Asynchronous: a source may be on a file system that hangs.)
 */
export async function ensureBindSources(mounts: readonly Mount[]): Promise<void> {
  for (const { type, source, createSource } of mounts) {
    if (type !== 'bind' || (await isThere(source))) continue;
    if (createSource) await make(source);
    if (!(await isThere(source))) throw invalid(`bind source path does not exist: ${source}`);
  }
}

/** Paths that are waited for. Each holds one of Node's few threads until it is told of: one is enough. */
const asked = new Map<string, Promise<unknown>>();

async function isThere(path: string): Promise<boolean> {
  try {
    let answer = asked.get(path);
    if (answer === undefined) {
      answer = stat(path).finally(() => asked.delete(path));
      asked.set(path, answer);
    }
    await Promise.race([answer, silent(path)]);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw invalid(messageOf(error), error);
  }
}

/** Rejects, later. */
async function silent(path: string): Promise<never> {
  await delay(answersWithinMs, undefined, { ref: false });
  throw invalid(`${path} is on a file system that does not answer`);
}

async function make(path: string): Promise<void> {
  try {
    await makeDirectory(path);
  } catch (error) {
    throw invalid(`cannot make the bind source path: ${messageOf(error)}`, error);
  }
}

/** With its parents. (Node's recursive mkdir never ends where a parent is there but refuses, as /proc does.) */
async function makeDirectory(path: string): Promise<void> {
  try {
    await makeOne(path);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    if (!hasCode(error, 'ENOENT') || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await makeOne(path).catch((failure: unknown) => {
      // Another container's start was quicker.
      if (!hasCode(failure, 'EEXIST')) throw failure;
    });
  }
}

async function makeOne(path: string): Promise<void> {
  await mkdir(path);
  // Whatever our umask.
  await chmod(path, 0o755);
}

function invalid(problem: string, cause?: unknown): Error {
  const detail = `invalid mount config for type "bind": ${problem}`;
  return errors.badSpec({ field: 'mounts.source', detail }, { cause });
}

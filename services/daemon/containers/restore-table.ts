import type { ContainerProcess } from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import { isLiving } from './process-watch.ts';
import type { ContainerRecord, Status } from './record.ts';

/** What the host shows of a container when the engine starts. */
export type Observation = 'lives' | 'exit fact' | 'neither' | 'boot changed';

/**
 * adopt: it runs on, as if nothing had been. finish: it lives, and the verb that was cut short goes on. settle: the exit is
 * recorded with its own code, and the restart policy and `--rm` follow. lost: the same with 255, for nobody knows how it
 * ended. undo: a start that came to nothing; what it held is swept. restart: its time to be started again has come.
 * remove: the removal goes on. rest: it is as it was recorded; the policy may want it started.
 */
export type Action = 'adopt' | 'finish' | 'settle' | 'lost' | 'undo' | 'restart' | 'remove' | 'rest';

/** The one table of the restore step. */
export const restoreTable: { readonly [status in Status]: { readonly [seen in Observation]: Action } } = {
  // A start is not recorded here before execdriver has it, so a process may be newer than the record.
  created: { lives: 'adopt', 'exit fact': 'settle', neither: 'rest', 'boot changed': 'rest' },
  starting: { lives: 'adopt', 'exit fact': 'settle', neither: 'undo', 'boot changed': 'undo' },
  running: { lives: 'adopt', 'exit fact': 'settle', neither: 'lost', 'boot changed': 'lost' },
  paused: { lives: 'adopt', 'exit fact': 'settle', neither: 'lost', 'boot changed': 'lost' },
  stopping: { lives: 'finish', 'exit fact': 'settle', neither: 'lost', 'boot changed': 'lost' },
  restarting: { lives: 'adopt', 'exit fact': 'settle', neither: 'restart', 'boot changed': 'restart' },
  exited: { lives: 'adopt', 'exit fact': 'settle', neither: 'rest', 'boot changed': 'rest' },
  removing: { lives: 'remove', 'exit fact': 'remove', neither: 'remove', 'boot changed': 'remove' },
  dead: { lives: 'remove', 'exit fact': 'remove', neither: 'remove', 'boot changed': 'remove' },
};

/**
 * `process` is what execdriver has of the container, if anything. An exit that was recorded already is none; a code that
 * execdriver knows counts even after a reboot.
 */
export function observe(
  record: ContainerRecord,
  process: ContainerProcess | undefined,
  bootId: string,
): { seen: Observation; process: ContainerProcess | undefined } {
  const isOfThisRecord = process !== undefined && process.generation >= record.generation;
  const isSettled =
    process?.generation === record.generation && !['starting', 'running', 'paused', 'stopping'].includes(record.status);
  if (isOfThisRecord && isLiving(process)) return { seen: 'lives', process };
  if (isOfThisRecord && !isSettled && process.exit !== undefined && !process.exit.unknown) {
    return { seen: 'exit fact', process };
  }
  const hasRun = record.generation > 0 && record.bootId !== '';
  if (hasRun && record.bootId !== bootId) return { seen: 'boot changed', process: undefined };
  return isOfThisRecord && !isSettled && process.exit !== undefined
    ? { seen: 'exit fact', process }
    : { seen: 'neither', process: undefined };
}

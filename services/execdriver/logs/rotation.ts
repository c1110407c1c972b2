import { existsSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../../kit/log.ts';
import type { Container } from '../containers/container.ts';
import type { Paths } from '../paths.ts';
import { tellToReopenLog } from '../runtime/conmon.ts';
import { shiftLogFiles } from './files.ts';

/**
 * Keeps logs of running containers within their sizes. Their monitors know no way that loses nothing, so the file is renamed and
 * the monitor told to open its path anew; what it writes until then goes into the renamed file. Files are looked at twice a second
 * while they grow, and seldom while nothing does.
 */
export interface Rotation {
  close(): void;
}

const [soonMs, lateMs] = [500, 2000];
/** A monitor that is told to reopen does so at its next turn. */
const reopenMs = 2000;

export function openRotation(containers: ReadonlyMap<string, Container>, paths: Paths, log: Logger): Rotation {
  const sizes = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const look = () => {
    let grows = false;
    for (const container of containers.values()) {
      const { id, terms } = container.record;
      if (!container.isLiving || terms.logDriver === 'none' || terms.logMaxSize === 0) {
        sizes.delete(id);
        continue;
      }
      const size = sizeOf(paths.logFileOf(id));
      if (size === undefined) continue;
      grows ||= size !== (sizes.get(id) ?? 0);
      sizes.set(id, size);
      if (size <= terms.logMaxSize) continue;
      try {
        rotate(container, paths);
      } catch (error) {
        log.warn({ err: error, container: id }, 'cannot rotate the log');
      }
    }
    timer = setTimeout(look, grows ? soonMs : lateMs).unref();
  };

  // Died between the renaming and the telling? Those that were told already are given the time to do it: being told twice
  // would put an empty file over the one just made.
  const unfinished = [...containers.values()].filter(
    ({ isLiving, record: { id, terms } }) => isLiving && terms.logDriver !== 'none' && !existsSync(paths.logFileOf(id)),
  );
  void delay(unfinished.length > 0 ? reopenMs : 0, undefined, { ref: false }).then(() => {
    for (const { isLiving, record } of unfinished) {
      if (isLiving && !existsSync(paths.logFileOf(record.id))) tellToReopenLog(paths.bundleOf(record.id));
    }
  });
  look();
  return { close: () => clearTimeout(timer) };
}

/** Renames, then tells the monitor. Not while an earlier renaming has yet to be followed by the monitor. */
function rotate(container: Container, paths: Paths): void {
  const { id, terms } = container.record;
  shiftLogFiles(paths.logDirectoryOf(id), terms.logMaxFiles);
  tellToReopenLog(paths.bundleOf(id));
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

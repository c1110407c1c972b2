import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../kit/log.ts';
import { driverNames } from './driver.ts';

/**
 * Moves what earlier layouts left to the present one, and says what. The present layout is the first, so there is nothing to
 * move yet. Docker's layers, which may be in the same root, belong to Docker and stay where they are.
 */
export function migrateLayouts(dataRoot: string, log: Logger): string[] {
  for (const driver of driverNames) {
    const directory = join(dataRoot, 'image', driver, 'layerdb');
    if (existsSync(directory)) log.info({ directory }, 'found layers of Docker, and left them alone');
  }
  return [];
}

import { lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../kit/errors.ts';
import type { Mounts } from '../../kit/linux/mounts.ts';
import { overlayOptions } from './overlay2.ts';
import { isOpaque, isOverlayWhiteout } from './tree/overlay-marks.ts';

/**
 * Tries overlayfs in a directory of the filesystem that is to hold the layers: mounts one, deletes a file and replaces a
 * directory in it, and looks at what that left. Returns what doesn't work; undefined when all does.
 */
export function probeOverlay(directory: string, mounts: Mounts): string | undefined {
  const probe = join(directory, '.overlay-probe');
  const at = (name: string) => join(probe, name);
  const clean = () => {
    // Also what a crash in the middle of an earlier probe left.
    while (mounts.detach(at('merged')) !== undefined);
    rmSync(probe, { recursive: true, force: true });
  };
  try {
    clean();
    for (const name of ['lower/directory', 'upper', 'work', 'merged']) mkdirSync(at(name), { recursive: true });
    writeFileSync(at('lower/file'), '');
    writeFileSync(at('lower/directory/inner'), '');
    mounts.mountOverlay({
      lower: [at('lower')],
      upper: at('upper'),
      work: at('work'),
      target: at('merged'),
      options: overlayOptions(),
    });
    return tryMerged(at);
  } catch (error) {
    return messageOf(error);
  } finally {
    clean();
  }
}

function tryMerged(at: (name: string) => string): string | undefined {
  unlinkSync(at('merged/file'));
  unlinkSync(at('merged/directory/inner'));
  rmdirSync(at('merged/directory'));
  mkdirSync(at('merged/directory'));
  // Without file types in its directories (xfs with ftype=0) overlayfs cannot tell whiteouts from files.
  if (readdirSync(at('merged')).includes('file')) return 'the filesystem keeps no file types in directories (d_type)';
  if (!isOverlayWhiteout(lstatSync(at('upper/file'), { bigint: true }))) return 'overlayfs leaves no whiteouts here';
  if (!isOpaque(Buffer.from(at('upper/directory')))) return 'the filesystem keeps no trusted.* attributes';
  return undefined;
}

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** Makes the folder for what an engine keeps of a boot, on memory, as /run is on most hosts. `removeFolder` takes it away. */
export function mountRunFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o711 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=711', 'tmpfs', path]);
  return path;
}

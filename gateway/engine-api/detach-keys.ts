import { BadRequest } from './errors.ts';

/** ctrl-p, ctrl-q. */
const usual = '\x10\x11';

/** What `ctrl-` may stand before; its place is the byte's value. See ascii(7). */
const controls = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/** Docker's notation for a key sequence, `ctrl-p,ctrl-q` or `a,ctrl-x`, as the bytes that a terminal sends. */
export function parseDetachKeys(text: string | undefined): Buffer {
  if (text === undefined) return Buffer.from(usual);
  return Buffer.from(text.split(',').map((key) => codeOf(key, text)));
}

function codeOf(key: string, whole: string): number {
  if (key.length === 1 && key.charCodeAt(0) < 256) return key.charCodeAt(0);
  if (key === 'DEL') return 127;
  const [, control] = /^ctrl-(.)$/.exec(key) ?? [];
  const code = control === undefined ? -1 : controls.indexOf(control);
  if (code < 0) throw new BadRequest(`Invalid detach keys (${whole}) provided`);
  return code;
}

/** What of a piece of input is meant for the container, and whether the sequence is complete. */
export interface Watched {
  bytes: Buffer;
  isComplete: boolean;
}

/**
 * Watches input for a key sequence. What may be its beginning is held back until it is known not to be, since the sequence
 * itself must not reach the container.
 */
export function watchKeys(keys: Buffer): (chunk: Buffer) => Watched {
  let held = 0;
  return (chunk) => {
    const passed = Buffer.allocUnsafe(held + chunk.length);
    let size = 0;
    for (const byte of chunk) {
      if (byte !== keys[held]) {
        size += keys.copy(passed, size, 0, held);
        held = 0;
      }
      if (byte === keys[held]) held++;
      else passed[size++] = byte;
      if (held < keys.length) continue;
      held = 0;
      return { bytes: passed.subarray(0, size), isComplete: true };
    }
    return { bytes: passed.subarray(0, size), isComplete: false };
  };
}

import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { archiveOf, type Member } from '../../../kit/archive/archive.fixture.ts';
import { BadArchive } from '../../../kit/archive/entry.ts';
import { createTarReader } from '../../../kit/archive/tar-reader.ts';
import { createLayerUnpacker, type Unpacked, type UnpackTarget } from './unpacker.ts';

export interface Box {
  /** The layer. */
  root: string;
  /** Beside the layer: what must never change. */
  outside: string;
}

export function box(t: TestContext): Box {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-unpack-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const made = { root: join(directory, 'layer'), outside: join(directory, 'outside') };
  mkdirSync(made.root);
  mkdirSync(made.outside);
  writeFileSync(join(made.outside, 'secret'), 'secret');
  return made;
}

export function unpack(root: string, members: Member[], options: Partial<UnpackTarget> = {}): Unpacked {
  using unpacker = createLayerUnpacker({ root, whiteouts: 'overlay', lowers: [], ...options });
  const reader = createTarReader(unpacker);
  reader.write(archiveOf(...members));
  reader.end();
  return unpacker.finish();
}

export function refusal(root: string, members: Member[], options: Partial<UnpackTarget> = {}): string {
  try {
    unpack(root, members, options);
  } catch (error) {
    if (error instanceof BadArchive) return error.message;
    throw error;
  }
  throw new Error('the archive was accepted');
}

/** Path → content, of everything in a directory. */
export function contents(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const stats = lstatSync(join(directory, name));
    if (stats.isFile()) found[name] = readFileSync(join(directory, name), 'utf8');
    else if (stats.isSymbolicLink()) found[name] = `-> ${readlinkSync(join(directory, name))}`;
    else found[name] = stats.isDirectory() ? 'directory' : 'special';
  }
  return found;
}

export function assertOutsideUntouched(outside: string): void {
  assert.deepEqual(contents(outside), { secret: 'secret' });
}

import { ArchiveProblem, entriesOf, inflated, type TarEntry } from '../archive/tar-reader.ts';
import { errors } from './errors.ts';

/** What a tar archive (plain, gzip or zstd) holds. BAD_ARCHIVE. */
export function readArchive(part: string, archive: Buffer): TarEntry[] {
  return checked(part, () => {
    const tar = inflated(archive);
    const entries = entriesOf(tar);
    if (entries.length === 0) throw new ArchiveProblem(part, 'holds nothing');
    return entries;
  });
}

/** Turns what is wrong with an archive into BAD_ARCHIVE. */
export function checked<T>(part: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ArchiveProblem) throw errors.badArchive({ part, problem: `${error.entry} ${error.message}` });
    throw error;
  }
}

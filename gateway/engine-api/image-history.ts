import type { HistoryEntry, Image } from '../../proto/gen/longshore/graph/v1/image.ts';
import { parseRfc3339, secondsOf } from './times.ts';

/** `docker history`, newest first. `sizes` are those of the image's layers, lowest first. */
export function historyJson(image: Image, sizes: readonly number[]): object[] {
  let layer = 0;
  const rows = image.history.map((entry) => row(entry, entry.emptyLayer ? 0 : (sizes[layer++] ?? 0)));
  return rows.reverse().map((each, at) => ({
    Id: at === 0 ? image.id : '<missing>',
    ...each,
    Tags: at === 0 && image.tags.length > 0 ? image.tags : null,
  }));
}

function row(entry: HistoryEntry, size: number): object {
  return {
    Created: secondsOf(parseRfc3339(entry.created) ?? 0n),
    CreatedBy: entry.createdBy,
    Size: size,
    Comment: entry.comment,
  };
}

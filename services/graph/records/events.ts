import type { Records } from '../../../kit/records.ts';
import { createSequence, type Sequence } from '../../../kit/watch.ts';
import type { Image } from './images.ts';

/** Docker's words for what happens to images. */
export type ImageAction = 'load' | 'import' | 'tag' | 'untag' | 'delete';

export interface ImageEvent {
  action: ImageAction;
  image: string;
  /** `name`, and the image's labels. */
  attributes: Readonly<Record<string, string>>;
  /** Microseconds since 1970. */
  timeUs: number;
}

export interface EventLog {
  readonly sequence: Sequence<ImageEvent>;
  /** Adds an event to the transaction that it is about. `name`: the tag it was about, else the image's id. */
  record(action: ImageAction, image: Image, name?: string): void;
  /** Shows what committed transactions have recorded to those who watch. */
  publish(): void;
}

const kept = 2000;

/** Events live in the records, so that a cursor is good across restarts. */
export function openEvents(records: Records): EventLog {
  const after = (cursor: number) =>
    records
      .prepare('SELECT * FROM event WHERE cursor > ? ORDER BY cursor')
      .all(cursor)
      .map((row) => ({ cursor: Number(row.cursor), event: eventOf(row) }));
  const sequence = createSequence<ImageEvent>({
    keep: kept,
    saved: { load: () => after(0), save: () => undefined },
  });

  return {
    sequence,
    record(action, image, name) {
      const newest = records.prepare('SELECT max(cursor) AS cursor FROM event').get()?.cursor;
      const cursor = Number(newest ?? sequence.cursor) + 1;
      const attributes = { ...image.file.config?.Labels, name: name ?? image.id };
      records
        .prepare('INSERT INTO event VALUES (?, ?, ?, ?, ?)')
        .run(cursor, action, image.id, JSON.stringify(attributes), Date.now() * 1000);
      records.prepare('DELETE FROM event WHERE cursor <= ?').run(cursor - kept);
    },
    publish() {
      for (const { event } of after(sequence.cursor)) sequence.append(event);
    },
  };
}

function eventOf(row: Record<string, unknown>): ImageEvent {
  return {
    action: row.action as ImageAction,
    image: String(row.image),
    attributes: JSON.parse(String(row.attributes)) as Record<string, string>,
    timeUs: Number(row.time_us),
  };
}

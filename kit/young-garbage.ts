import { collectGarbage } from './collect-garbage.ts';

/**
 * Bytes between two collections. What is made of each on its way through gRPC is four times as much, and that has to stay well
 * below the 8 MiB that a small heap may grow by. Shorter, and pieces that wait to be sent live through two and count as old.
 */
export const collectionInterval = 1024 * 1024;

let passed = 0;

/**
 * Says that a long stream has passed on so many bytes.
 *
 * The buffers that carry them lie outside of V8's heap. They count against what it may grow by, but they do not fill the space
 * of young objects, so nothing makes V8 look there: it goes through the whole heap instead, every few dozen messages, and that
 * takes longer than all the rest of the work. These buffers die young, and among the young ones they are found in no time.
 */
export function passedOn(bytes: number): void {
  passed += bytes;
  if (passed < collectionInterval) return;
  passed = 0;
  collectGarbage('minor');
}

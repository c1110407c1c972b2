import { errors } from '../errors.ts';

/** A group that is repeated can take exponential time, and so can a backreference. */
const slow = /\)[*+?{]|\\[1-9]|\(\?[=!<]/;
const longest = 256;

/** Docker's `name` and `id` filters: a regular expression that may match anywhere. BAD_FILTER. */
export function pattern(field: string, text: string): (value: string) => boolean {
  if (/^[\w./-]*$/.test(text) && !text.includes('.')) return (value) => value.includes(text);
  if (text.length > longest || slow.test(text)) throw errors.badFilter({ field, value: text });
  try {
    const expression = new RegExp(text);
    return (value) => expression.test(value);
  } catch {
    // What is no expression is meant as it stands.
    return (value) => value === text;
  }
}

import * as z from 'zod/mini';
import { badArchive } from './errors.ts';

/** No JSON document of an image is longer. */
export const longestDocument = 8 * 1024 * 1024;

/** Reads a JSON document of an archive; what is wrong is reported with the part's name and the field. */
export function parseDocument<T extends z.ZodMiniType>(bytes: Uint8Array, part: string, shape: T): z.infer<T> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw badArchive(part, 'is not JSON', cause);
  }
  const parsed = z.safeParse(shape, value);
  if (parsed.success) return parsed.data;
  throw badArchive(part, describe(parsed.error.issues[0]), parsed.error);
}

function describe(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'is malformed';
  const field = issue.path.length === 0 ? 'the document' : issue.path.map(String).join('.');
  switch (issue.code) {
    case 'invalid_type':
      return `${field} must be of type ${issue.expected}`;
    case 'too_big':
      return `${field} is too big (at most ${issue.maximum})`;
    default:
      return `${field} is not valid`;
  }
}

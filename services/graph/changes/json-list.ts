import { InstructionProblem } from './instruction-problem.ts';

/** A JSON list of strings, as Docker's exec form is written; undefined when the text is something else. */
export function jsonList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Then it is a command line that begins with a bracket: `[ -f x ] && …`.
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (!value.every((each) => typeof each === 'string')) {
    throw new InstructionProblem('when using JSON array syntax, arrays must be comprised of strings only');
  }
  return value;
}

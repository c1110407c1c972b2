/** Turns what could not be taken down into an error, for the step's undo to report. */
export function drained({ problems }: { problems: readonly string[] }): void {
  if (problems.length > 0) throw new Error(problems.join('; '));
}

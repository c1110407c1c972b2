import { insist } from '../containers/insist.ts';

/** A service that dies under its Drain is started again; this is how long it is asked. */
const patienceMs = 5_000;

/** Drains a service; what could not be taken down becomes an error, for the step's undo to report. */
export async function drain(call: () => Promise<{ problems?: readonly string[] }>): Promise<void> {
  const { problems = [] } = await insist(call, patienceMs);
  if (problems.length > 0) throw new Error(problems.join('; '));
}

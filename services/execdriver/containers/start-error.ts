import type { ServiceError } from '../../../kit/errors.ts';
import { errors } from '../errors.ts';

/** Clients look for words in what follows; this is what Docker says before it. */
const prefaces = {
  create: 'failed to create task for container: failed to create shim task: OCI runtime create failed',
  exec: 'OCI runtime exec failed: exec failed: unable to start container process',
};

/** What runc says before it, which is in the preface. */
const runcsOwn = /^exec failed: unable to start container process: /;

/** Makes of a runtime's words an error that says whether the command is missing, may not be run, or something else is wrong. */
export function startError(verb: keyof typeof prefaces, said: string, command: string, cause: unknown): ServiceError {
  const text = wordsOf(said).replace(runcsOwn, '');
  const quoted = JSON.stringify(command);
  const detail = (what: string) => `${prefaces[verb]}: ${what}: unknown`;
  const isPath = command.includes('/');

  if (/executable file .*not found in \$PATH/.test(text)) {
    if (/permission denied/i.test(text))
      return notExecutable(command, detail(`exec: ${quoted}: permission denied`), cause);
    const what = isPath ? `stat ${command}: no such file or directory` : 'executable file not found in $PATH';
    return errors.commandNotFound({ command, detail: detail(`exec: ${quoted}: ${what}`) }, { cause });
  }
  // runc: `exec: "/x": stat /x: no such file or directory`
  if (text.includes(`exec: ${quoted}`) && /no such file or directory/i.test(text)) {
    return errors.commandNotFound({ command, detail: detail(text) }, { cause });
  }
  const isExec = /open executable|exec[: ]/.test(text);
  // crun's words for a directory are `open executable: Operation not permitted`.
  if (
    isExec &&
    /permission denied|operation not permitted|is a directory|not a directory|exec format error/i.test(text)
  ) {
    const reason = /not permitted|is a directory/i.test(text) ? 'permission denied' : lastPart(text);
    return notExecutable(command, detail(`exec: ${quoted}: ${reason}`), cause);
  }
  return errors.runtimeFailed({ detail: detail(text || 'the runtime ended without a word') }, { cause });
}

/** crun writes `TIME: words`, runc `time="…" level=error msg="words"`. */
function wordsOf(said: string): string {
  const message = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(said)?.[1];
  if (message !== undefined) return message.replace(/\\(.)/g, '$1');
  return said.trim().replace(/^\d{4}-\d\d-\d\dT\S+:? /, '');
}

function notExecutable(command: string, detail: string, cause: unknown): ServiceError {
  return errors.commandNotExecutable({ command, detail }, { cause });
}

function lastPart(text: string): string {
  return (text.split(': ').at(-1) ?? text).toLowerCase();
}

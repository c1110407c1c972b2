import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startError } from './start-error.ts';

const exec = 'OCI runtime exec failed: exec failed: unable to start container process';
const create = 'failed to create task for container: failed to create shim task: OCI runtime create failed';

/** What the runtimes write, and what of it a client is told. */
for (const [verb, said, command, reason, told] of [
  [
    'exec',
    '2026-11-30T04:05:57.000Z: executable file `nope` not found in $PATH: No such file or directory',
    'nope',
    'COMMAND_NOT_FOUND',
    `${exec}: exec: "nope": executable file not found in $PATH: unknown`,
  ],
  [
    'exec',
    'time="2026-11-30T04:05:57Z" level=error msg="exec failed: unable to start container process: exec: \\"nope\\": executable file not found in $PATH"',
    'nope',
    'COMMAND_NOT_FOUND',
    `${exec}: exec: "nope": executable file not found in $PATH: unknown`,
  ],
  [
    'exec',
    'time="2026-11-30T04:05:57Z" level=error msg="exec failed: unable to start container process: chdir to cwd (\\"/nope\\") set in config.json failed: no such file or directory"',
    'true',
    'RUNTIME_FAILED',
    `${exec}: chdir to cwd ("/nope") set in config.json failed: no such file or directory: unknown`,
  ],
  [
    'create',
    'open executable: Operation not permitted',
    '/etc',
    'COMMAND_NOT_EXECUTABLE',
    `${create}: exec: "/etc": permission denied: unknown`,
  ],
  ['exec', '', 'true', 'RUNTIME_FAILED', `${exec}: the runtime ended without a word: unknown`],
] as const) {
  test(`${verb}: ${said || 'nothing'}`, () => {
    const error = startError(verb, said, command, undefined);
    assert.deepEqual([error.reason, error.metadata.detail], [reason, told]);
  });
}

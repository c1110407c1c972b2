import { defineErrors } from '../../kit/errors.ts';

export const errors = defineErrors('execdriver', {
  runtimeMissing: {
    code: 'FAILED_PRECONDITION',
    message: (m: { runtime: string }) => `OCI runtime "${m.runtime}" was not found`,
  },
  invalidId: {
    code: 'INVALID_ARGUMENT',
    message: (m: { id: string }) => `a container id is 64 hex digits, not ${JSON.stringify(m.id)}`,
  },
  badSpec: { code: 'INVALID_ARGUMENT', message: (m: { field: string; problem: string }) => `${m.field}: ${m.problem}` },
  badFrame: { code: 'INVALID_ARGUMENT', message: (m: { problem: string }) => m.problem },
  unknownUser: {
    code: 'INVALID_ARGUMENT',
    message: (m: { user: string }) => `unable to find user ${m.user}: no matching entries in passwd file`,
  },
  containerNotFound: { code: 'NOT_FOUND', message: (m: { id: string }) => `no such container: ${m.id}` },
  staleGeneration: {
    code: 'FAILED_PRECONDITION',
    message: (m: { id: string; generation: number; newest: number }) =>
      `generation ${m.generation} of container ${m.id} is older than ${m.newest}`,
  },
  execNotFound: { code: 'NOT_FOUND', message: (m: { id: string }) => `no such exec: ${m.id}` },
  execStarted: {
    code: 'FAILED_PRECONDITION',
    message: (m: { id: string; hasEnded: boolean }) =>
      `exec command ${m.id} ${m.hasEnded ? 'has already run' : 'is already running'}`,
  },
  containerPaused: { code: 'FAILED_PRECONDITION', message: (m: { id: string }) => `container ${m.id} is paused` },
  badPsOptions: { code: 'INVALID_ARGUMENT', message: (m: { detail: string }) => m.detail },
  notRunning: { code: 'FAILED_PRECONDITION', message: (m: { id: string }) => `container ${m.id} is not running` },
  running: { code: 'FAILED_PRECONDITION', message: (m: { id: string }) => `container ${m.id} is running` },
  commandNotFound: {
    code: 'NOT_FOUND',
    message: (m: { command: string }) => `exec: "${m.command}": executable file not found in $PATH`,
  },
  commandNotExecutable: {
    code: 'FAILED_PRECONDITION',
    message: (m: { command: string }) => `exec: "${m.command}": permission denied`,
  },
  logsUnreadable: {
    code: 'FAILED_PRECONDITION',
    message: () => 'configured logging driver does not support reading',
  },
  clientTooSlow: {
    code: 'RESOURCE_EXHAUSTED',
    message: (m: { behind: number }) => `the client was ${m.behind} bytes behind the container and has been dropped`,
  },
  badView: { code: 'INVALID_ARGUMENT', message: () => 'a view has absolute paths' },
  fileNotFound: {
    code: 'NOT_FOUND',
    message: (m: { path: string; container: string }) =>
      `Could not find the file ${m.path} in container ${m.container}`,
  },
  notADirectory: { code: 'INVALID_ARGUMENT', message: () => 'extraction point is not a directory' },
  readOnlyFiles: {
    code: 'PERMISSION_DENIED',
    message: (m: { isRoot: boolean }) => `${m.isRoot ? 'container rootfs' : 'mounted volume'} is marked read-only`,
  },
  badArchive: {
    code: 'INVALID_ARGUMENT',
    message: (m: { entry: string; problem: string }) => `${m.entry} ${m.problem}`,
  },
});

import { defineErrors } from '../../kit/errors.ts';

/** What the exec driver can fail with: reason, gRPC code, and what a person reads. */
export const errors = defineErrors('execdriver', {
  notInitialised: { code: 'FAILED_PRECONDITION', message: () => 'the exec driver is not initialised' },
  runtimeMissing: {
    code: 'FAILED_PRECONDITION',
    message: (m: { runtime: string; detail?: string }) =>
      `OCI runtime "${m.runtime}" was not found${m.detail ? ` (${m.detail})` : ''}: install crun (apt-get install crun) or name another with --runtime`,
  },
  unknownRuntime: {
    code: 'INVALID_ARGUMENT',
    message: (m: { runtime: string }) => `unknown or invalid runtime name: ${m.runtime}`,
  },
  monitorMissing: {
    code: 'FAILED_PRECONDITION',
    message: (m: { monitor: string; detail?: string }) =>
      `the container monitor ${m.monitor} was not found${m.detail ? ` (${m.detail})` : ''}: install conmon 2.1 or newer (apt-get install conmon)`,
  },
  cgroupsUnusable: {
    code: 'FAILED_PRECONDITION',
    message: (m: { detail: string }) => `cgroups cannot be used: ${m.detail}`,
  },

  invalidId: {
    code: 'INVALID_ARGUMENT',
    message: (m: { id: string }) => `a container id is 64 lower-case hex digits, not ${JSON.stringify(m.id)}`,
  },
  badSpec: { code: 'INVALID_ARGUMENT', message: (m: { field: string; detail: string }) => m.detail },
  unknownUser: { code: 'INVALID_ARGUMENT', message: (m: { user: string; detail: string }) => m.detail },

  containerNotFound: { code: 'NOT_FOUND', message: (m: { id: string }) => `no such container: ${m.id}` },
  staleGeneration: {
    code: 'FAILED_PRECONDITION',
    message: (m: { id: string; generation: number; newest: number }) =>
      `container ${m.id} was started as generation ${m.newest} already; ${m.generation} is an older one`,
  },
  badPsOptions: { code: 'INVALID_ARGUMENT', message: (m: { detail: string }) => m.detail },
  notRunning: { code: 'FAILED_PRECONDITION', message: (m: { id: string }) => `container ${m.id} is not running` },
  joinedNotRunning: {
    code: 'FAILED_PRECONDITION',
    message: (m: { id: string; namespace: string }) =>
      `failed to join ${m.namespace} namespace: container ${m.id} is not running`,
  },
  running: {
    code: 'FAILED_PRECONDITION',
    message: (m: { id: string }) => `container ${m.id} is running: stop it before removing it`,
  },

  commandNotFound: { code: 'NOT_FOUND', message: (m: { command: string; detail: string }) => m.detail },
  commandNotExecutable: {
    code: 'FAILED_PRECONDITION',
    message: (m: { command: string; detail: string }) => m.detail,
  },
  runtimeFailed: { code: 'FAILED_PRECONDITION', message: (m: { detail: string }) => m.detail },
  monitorFailed: {
    code: 'FAILED_PRECONDITION',
    message: (m: { detail: string }) => `the container monitor failed: ${m.detail}`,
  },

  execNotFound: { code: 'NOT_FOUND', message: (m: { exec: string }) => `No such exec instance: ${m.exec}` },
  execExists: {
    code: 'ALREADY_EXISTS',
    message: (m: { exec: string }) => `exec ${m.exec} exists already, for another container or command`,
  },
  execStarted: {
    code: 'FAILED_PRECONDITION',
    message: (m: { exec: string; hasEnded: boolean }) =>
      `exec command ${m.exec} ${m.hasEnded ? 'has already run' : 'is already running'}`,
  },
  containerPaused: {
    code: 'FAILED_PRECONDITION',
    message: (m: { id: string }) => `Container ${m.id} is paused, unpause the container before exec`,
  },

  badFrame: { code: 'INVALID_ARGUMENT', message: (m: { detail: string }) => m.detail },
  clientTooSlow: {
    code: 'RESOURCE_EXHAUSTED',
    message: (m: { behind: number }) => `the client was ${m.behind} bytes behind the container and has been dropped`,
  },
  logsUnreadable: {
    code: 'FAILED_PRECONDITION',
    message: () => 'configured logging driver does not support reading',
  },

  badView: { code: 'INVALID_ARGUMENT', message: (m: { field: string; detail: string }) => m.detail },
  fileNotFound: {
    code: 'NOT_FOUND',
    message: (m: { path: string; container: string }) =>
      `Could not find the file ${m.path} in container ${m.container}`,
  },
  notADirectory: { code: 'INVALID_ARGUMENT', message: (_: { path: string }) => 'extraction point is not a directory' },
  readOnlyFiles: {
    code: 'PERMISSION_DENIED',
    message: (m: { path: string; isRoot: boolean }) =>
      m.isRoot ? 'container rootfs is marked read-only' : 'mounted volume is marked read-only',
  },
  badArchive: {
    code: 'INVALID_ARGUMENT',
    message: (m: { entry: string; problem: string }) => (m.entry === '' ? m.problem : `${m.entry}: ${m.problem}`),
  },
  fileAccessFailed: { code: 'FAILED_PRECONDITION', message: (m: { path: string; detail: string }) => m.detail },
  filesUnresponsive: {
    code: 'DEADLINE_EXCEEDED',
    message: (m: { container: string; seconds: number }) =>
      `the files of container ${m.container} did not answer within ${m.seconds} seconds: one of its mounts may hang`,
  },
});

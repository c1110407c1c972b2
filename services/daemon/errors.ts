import { defineErrors } from '../../kit/errors.ts';

/** What containers, events and the link graph refuse, in the words that users of Docker know. */
export const errors = defineErrors('daemon', {
  containerNotFound: {
    code: 'NOT_FOUND',
    message: (m: { container: string }) => `No such container: ${m.container}`,
  },
  ambiguousReference: {
    code: 'INVALID_ARGUMENT',
    message: (m: { reference: string }) => `multiple IDs found with provided prefix: ${m.reference}`,
  },
  badName: {
    code: 'INVALID_ARGUMENT',
    message: (m: { name: string }) => `Invalid container name (${m.name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  },
  nameInUse: {
    code: 'ALREADY_EXISTS',
    message: (m: { name: string; holder: string }) =>
      `Conflict. The container name "/${m.name}" is already in use by container "${m.holder}". ` +
      'You have to remove (or rename) that container to be able to reuse that name.',
  },
  containerExists: {
    code: 'ALREADY_EXISTS',
    message: (m: { container: string }) => `container ${m.container} exists already and was made from another request`,
  },
  badConfig: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; problem: string }) => m.problem,
  },
  platformMismatch: {
    code: 'NOT_FOUND',
    message: (m: { image: string; wanted: string; actual: string }) =>
      `image with reference ${m.image} was found but does not match the specified platform: ` +
      `wanted ${m.wanted}, actual: ${m.actual}`,
  },
  imageUnusable: {
    code: 'FAILED_PRECONDITION',
    message: (m: { image: string; problem: string }) => `image ${m.image} cannot be used: ${m.problem}`,
  },
  badSignal: {
    code: 'INVALID_ARGUMENT',
    message: (m: { signal: string }) => `invalid signal: ${m.signal}`,
  },
  badFilter: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; value: string; problem?: string }) =>
      `invalid filter '${m.field}=${m.value}'${m.problem === undefined ? '' : `: ${m.problem}`}`,
  },
  containerRunning: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string; reference: string; status: string }) =>
      `cannot remove container ${JSON.stringify(m.reference)}: container is ${m.status}` +
      (m.status === 'paused' ? ' and must be unpaused first' : ': stop the container before removing or force remove'),
  },
  containerNotRunning: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string }) => `container ${m.container} is not running`,
  },
  containerPaused: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string }) => `Container ${m.container} is already paused`,
  },
  attachPaused: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string }) => `container ${m.container} is paused, unpause the container before attach`,
  },
  attachRestarting: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string }) =>
      `container ${m.container} is restarting, wait until the container is running`,
  },
  execPaused: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string }) => `Container ${m.container} is paused, unpause the container before exec`,
  },
  containerNotPaused: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string }) => `Container ${m.container} is not paused`,
  },
  containerStartPaused: {
    code: 'FAILED_PRECONDITION',
    message: (_: { container: string }) => 'cannot start a paused container, try unpause instead',
  },
  containerRestarting: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string }) =>
      `Container ${m.container} is restarting, wait until the container is running`,
  },
  removalInProgress: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string; verb: string }) => `container is marked for removal and cannot be ${m.verb}`,
  },
  killFailed: {
    code: 'DEADLINE_EXCEEDED',
    message: (m: { container: string; seconds: number; pid: number }) =>
      `container ${m.container} did not end within ${m.seconds} seconds after SIGKILL: its process ${m.pid} is blocked in ` +
      `the kernel, /proc/${m.pid}/stack says where; it is ended as soon as it can be, then remove it again`,
  },
  joinedNotRunning: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string }) => `cannot join network of a non running container: ${m.container}`,
  },
  linkedNotRunning: {
    code: 'FAILED_PRECONDITION',
    message: (m: { child: string; alias: string }) =>
      `Cannot link to a non running container: /${m.child} AS ${m.alias}`,
  },
  cannotUpdate: {
    code: 'FAILED_PRECONDITION',
    message: (m: { container: string; problem: string }) => `Cannot update container ${m.container}: ${m.problem}`,
  },
  pruneRunning: {
    code: 'FAILED_PRECONDITION',
    message: () => 'a prune operation is already running',
  },
  deviceDriverMissing: {
    code: 'FAILED_PRECONDITION',
    message: (m: { driver: string; capabilities: string }) =>
      `could not select device driver ${JSON.stringify(m.driver)} with capabilities: ${m.capabilities}`,
  },
  linkIsName: {
    code: 'FAILED_PRECONDITION',
    message: (_: { path: string }) => 'Conflict, cannot remove the default link name of the container',
  },
  linkWithoutParent: {
    code: 'NOT_FOUND',
    message: (m: { parent: string; path: string }) => `Cannot get parent ${m.parent} for link name ${m.path}`,
  },
  stopping: {
    code: 'UNAVAILABLE',
    message: () => 'the engine is shutting down',
  },
  linkParentNotFound: {
    code: 'NOT_FOUND',
    message: (m: { path: string }) => `Cannot find child for ${m.path}`,
  },
  linkToSelf: {
    code: 'INVALID_ARGUMENT',
    message: () => 'Cannot set self as child',
  },
  linkNameTaken: {
    code: 'ALREADY_EXISTS',
    message: (m: { path: string; holder: string }) => `${m.path} is already the name of ${m.holder}`,
  },
  linkRootFixed: {
    code: 'INVALID_ARGUMENT',
    message: () => 'Cannot delete root entity',
  },
  linkRootsDiffer: {
    code: 'INVALID_ARGUMENT',
    message: (m: { from: string; to: string }) => `Cannot rename when root paths do not match ${m.from} != ${m.to}`,
  },
  linkNotFound: {
    code: 'NOT_FOUND',
    message: (m: { parent: string; name: string }) => `Cannot locate edge for ${m.parent} ${m.name}`,
  },
});

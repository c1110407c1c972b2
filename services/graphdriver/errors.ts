import { defineErrors } from '../../kit/errors.ts';

/** Everything that callers of this service may be told, by reason. */
export const errors = defineErrors('graphdriver', {
  // What a request says
  badId: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; value: string }) =>
      `${m.field} must be 64 hex digits, not ${JSON.stringify(m.value)}`,
  },
  badRequest: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; problem: string }) => `${m.field} ${m.problem}`,
  },
  badOption: {
    code: 'INVALID_ARGUMENT',
    message: (m: { option: string; driver: string; problem: string }) =>
      `storage option ${m.option} cannot be used with the ${m.driver} driver: ${m.problem}`,
  },
  badArchive: {
    code: 'INVALID_ARGUMENT',
    message: (m: { layer: string; entry: string; problem: string }) =>
      m.entry === ''
        ? `layer ${m.layer} cannot be unpacked: ${m.problem}`
        : `layer ${m.layer} cannot be unpacked: ${m.entry}: ${m.problem}`,
  },
  digestMismatch: {
    code: 'INVALID_ARGUMENT',
    message: (m: { layer: string; expected: string; found: string }) =>
      `the archive of layer ${m.layer} is not the one expected: its digest is ${m.found}, not ${m.expected}; fetch it again`,
  },

  // What there is and isn't
  layerNotFound: { code: 'NOT_FOUND', message: (m: { layer: string }) => `there is no layer ${m.layer}` },
  blobNotFound: {
    code: 'NOT_FOUND',
    message: (m: { path: string }) =>
      `there is no archive ${m.path} below the data root: send it as a stream, or fetch it again`,
  },
  layerExists: {
    code: 'ALREADY_EXISTS',
    message: (m: { layer: string; problem: string }) => `layer ${m.layer} exists already, ${m.problem}`,
  },

  // What a layer's state forbids
  layerInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { layer: string; use: string; holder: string }) =>
      `layer ${m.layer} is in use: it is ${m.use} ${m.holder}`,
  },
  parentNotSealed: {
    code: 'FAILED_PRECONDITION',
    message: (m: { parent: string }) =>
      `layer ${m.parent} is writable, and only a sealed layer can be a parent: commit it first`,
  },
  chainTooDeep: {
    code: 'FAILED_PRECONDITION',
    message: (m: { layer: string; depth: number; limit: number }) =>
      `layer ${m.layer} would be the ${m.depth}th of its chain, and the kernel merges ${m.limit} at most: squash the image`,
  },
  layerDamaged: {
    code: 'DATA_LOSS',
    message: (m: { layer: string; problem: string }) => `layer ${m.layer} is damaged: ${m.problem}`,
  },

  // What the driver's state forbids
  notInitialised: {
    code: 'FAILED_PRECONDITION',
    message: () => 'the graph driver is not initialised: the coordinator has not called Init, or has drained it',
  },
  driverUnsupported: {
    code: 'FAILED_PRECONDITION',
    message: (m: { driver: string; root: string; problem: string }) =>
      `the ${m.driver} driver does not work on ${m.root}: ${m.problem}`,
  },
  idMapsUnsupported: {
    code: 'FAILED_PRECONDITION',
    message: (m: { problem: string }) => `user namespaces need views with mapped users and groups: ${m.problem}`,
  },
  driverUnknown: {
    code: 'FAILED_PRECONDITION',
    message: (m: { driver: string; known: string }) => `there is no driver ${m.driver}; there are ${m.known}`,
  },
  noDriver: {
    code: 'FAILED_PRECONDITION',
    message: (m: { root: string; problems: string }) => `no driver works on ${m.root}: ${m.problems}`,
  },
  severalDrivers: {
    code: 'FAILED_PRECONDITION',
    message: (m: { root: string; drivers: string }) =>
      `${m.root} holds layers of several drivers (${m.drivers}): name the one to use with --storage-driver`,
  },
  driverInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { driver: string; asked: string; holder: string }) =>
      `the driver cannot change from ${m.driver} to ${m.asked} while ${m.holder} holds a layer mounted: stop it first`,
  },
  foreignLayers: {
    code: 'FAILED_PRECONDITION',
    message: (m: { directory: string; owner: string }) =>
      `${m.directory} belongs to ${m.owner}: use another data root (--data-root), or another driver`,
  },

  // What the host refuses
  noSpace: {
    code: 'RESOURCE_EXHAUSTED',
    message: (m: { layer: string; problem: string }) =>
      `no room for layer ${m.layer} on the data root's filesystem (${m.problem}): remove images or containers, or enlarge it`,
  },
  mountFailed: {
    code: 'INTERNAL',
    message: (m: { layer: string; problem: string }) => `layer ${m.layer} cannot be mounted: ${m.problem}`,
  },
  stopping: { code: 'UNAVAILABLE', message: () => 'the graph driver is stopping: call again when it is back' },
});

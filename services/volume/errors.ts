import { defineErrors } from '../../kit/errors.ts';

export const errors = defineErrors('volume', {
  notInitialised: {
    code: 'FAILED_PRECONDITION',
    message: () => 'the volume service is not initialised',
  },
  badRequest: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; problem: string }) => `${m.field}: ${m.problem}`,
  },
  badName: {
    code: 'INVALID_ARGUMENT',
    message: (m: { name: string; problem: string }) => `create ${m.name}: ${m.problem}`,
  },
  unknownDriver: {
    code: 'INVALID_ARGUMENT',
    message: (m: { name: string; driver: string }) =>
      `create ${m.name}: error looking up volume plugin ${m.driver}: plugin "${m.driver}" not found`,
  },
  badOption: {
    code: 'INVALID_ARGUMENT',
    message: (m: { name: string; problem: string }) => `create ${m.name}: ${m.problem}`,
  },
  volumeExists: {
    code: 'ALREADY_EXISTS',
    message: (m: { name: string; driver: string }) =>
      `a volume named ${m.name} already exists with the ${m.driver} driver. Choose a different volume name`,
  },
  volumeNotFound: {
    code: 'NOT_FOUND',
    message: (m: { name: string }) => `get ${m.name}: no such volume`,
  },
  volumeInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { name: string; holders: string }) => `remove ${m.name}: volume is in use - [${m.holders}]`,
  },
  volumeBusy: {
    code: 'FAILED_PRECONDITION',
    message: (m: { name: string; mounts: string }) =>
      `remove ${m.name}: something is still mounted in it (${m.mounts}): unmount it, then remove the volume again`,
  },
  mountFailed: {
    code: 'FAILED_PRECONDITION',
    message: (m: { name: string; mountpoint: string; problem: string }) =>
      `error while mounting volume '${m.mountpoint}': failed to mount local volume: ${m.problem}`,
  },
});

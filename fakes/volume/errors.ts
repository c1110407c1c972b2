import { defineErrors } from '../../kit/errors.ts';

export const errors = defineErrors('volume', {
  badName: {
    code: 'INVALID_ARGUMENT',
    message: (m: { name: string }) => `${JSON.stringify(m.name)} is no volume name`,
  },
  badRequest: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; problem: string }) => `${m.field}: ${m.problem}`,
  },
  unknownDriver: { code: 'INVALID_ARGUMENT', message: (m: { driver: string }) => `no such driver: ${m.driver}` },
  badOption: { code: 'INVALID_ARGUMENT', message: (m: { option: string }) => `invalid option: ${m.option}` },
  volumeExists: {
    code: 'ALREADY_EXISTS',
    message: (m: { name: string; driver: string }) => `volume ${m.name} exists with driver ${m.driver}`,
  },
  volumeNotFound: { code: 'NOT_FOUND', message: (m: { name: string }) => `no such volume: ${m.name}` },
  volumeInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { name: string; holder: string }) => `volume ${m.name} is in use by ${m.holder}`,
  },
});

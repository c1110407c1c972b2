import { defineErrors } from '../../kit/errors.ts';

export const errors = defineErrors('graphdriver', {
  driverUnknown: { code: 'FAILED_PRECONDITION', message: (m: { driver: string }) => `no such driver: ${m.driver}` },
  invalidId: {
    code: 'INVALID_ARGUMENT',
    message: (m: { id: string }) => `a layer id is 64 hex digits, not ${JSON.stringify(m.id)}`,
  },
  badRequest: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; problem: string }) => `${m.field}: ${m.problem}`,
  },
  badOption: { code: 'INVALID_ARGUMENT', message: (m: { option: string }) => `unknown storage option: ${m.option}` },
  badArchive: {
    code: 'INVALID_ARGUMENT',
    message: (m: { entry: string; problem: string }) => `${m.entry}: ${m.problem}`,
  },
  digestMismatch: {
    code: 'INVALID_ARGUMENT',
    message: (m: { expected: string; found: string }) => `the archive hashes to ${m.found}, not to ${m.expected}`,
  },
  layerNotFound: { code: 'NOT_FOUND', message: (m: { layer: string }) => `no such layer: ${m.layer}` },
  layerExists: {
    code: 'ALREADY_EXISTS',
    message: (m: { layer: string; parent: string }) => `layer ${m.layer} exists with parent ${m.parent || 'none'}`,
  },
  parentNotSealed: {
    code: 'FAILED_PRECONDITION',
    message: (m: { layer: string }) => `layer ${m.layer} is writable: only a sealed one can be a parent`,
  },
  layerInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { layer: string; holder: string }) => `layer ${m.layer} is in use by ${m.holder}`,
  },
});

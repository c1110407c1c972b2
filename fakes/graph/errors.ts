import { defineErrors } from '../../kit/errors.ts';

export const errors = defineErrors('graph', {
  imageNotFound: { code: 'NOT_FOUND', message: (m: { reference: string }) => `No such image: ${m.reference}` },
  badReference: {
    code: 'INVALID_ARGUMENT',
    message: (m: { reference: string }) => `invalid reference format: ${JSON.stringify(m.reference)}`,
  },
  ambiguousId: { code: 'INVALID_ARGUMENT', message: (m: { prefix: string }) => `several ids begin with ${m.prefix}` },
  badRequest: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; problem: string }) => `${m.field}: ${m.problem}`,
  },
  badArchive: {
    code: 'INVALID_ARGUMENT',
    message: (m: { part: string; problem: string }) => `${m.part}: ${m.problem}`,
  },
  badChange: { code: 'INVALID_ARGUMENT', message: (m: { change: string }) => `not understood: ${m.change}` },
  imageHasTags: {
    code: 'FAILED_PRECONDITION',
    message: (m: { image: string }) => `image ${m.image} has several tags: remove them, or use force`,
  },
  imageInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { image: string; container: string; how: 'reference' | 'running' | 'stopped' }) =>
      `image ${m.image} is used by container ${m.container}`,
  },
});

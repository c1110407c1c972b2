import { defineErrors } from '../kit/errors.ts';

/** What the gateway itself answers to gRPC calls. For REST see engine-api/errors.ts. */
export const errors = defineErrors('gateway', {
  serviceUnavailable: {
    code: 'UNAVAILABLE',
    message: (m: { service: string; endpoint: string }) => `${m.service} does not answer at ${m.endpoint}`,
  },
  connectionLost: {
    code: 'UNAVAILABLE',
    message: (m: { service: string }) => `the connection to ${m.service} was lost`,
  },
  unknownMethod: { code: 'UNIMPLEMENTED', message: (m: { method: string }) => `there is no method ${m.method}` },
  coordinatorOnly: {
    code: 'PERMISSION_DENIED',
    message: (m: { method: string }) => `${m.method} is for the coordinator alone`,
  },
  badMessage: { code: 'INVALID_ARGUMENT', message: (m: { problem: string }) => m.problem },
});

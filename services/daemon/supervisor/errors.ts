import { defineErrors } from '../../../kit/errors.ts';

export const errors = defineErrors('daemon', {
  serviceEnded: {
    code: 'UNAVAILABLE',
    message: (m: { service: string; how: string; lastWords: string }) =>
      `${m.service} ended before it was ready (${m.how})${m.lastWords ? `: ${m.lastWords}` : ''}`,
  },
  serviceSilent: {
    code: 'UNAVAILABLE',
    message: (m: { service: string; endpoint: string }) =>
      `${m.service} does not answer at ${m.endpoint}: is it running there?`,
  },
});

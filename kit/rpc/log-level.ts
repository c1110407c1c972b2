import type { LogServiceImplementation } from '../../proto/gen/longshore/contract/v1/log.ts';
import { defineErrors } from '../errors.ts';
import { isLogLevel, type Logger, logLevels } from '../log.ts';

const errors = defineErrors('kit', {
  unknownLogLevel: {
    code: 'INVALID_ARGUMENT',
    message: (m: { level: string }) => `"${m.level}" is not a log level: choose one of ${logLevels.join(', ')}`,
  },
});

/** Lets the coordinator change how much a running service tells. */
export function logService(log: Logger): LogServiceImplementation {
  return {
    async setLevel({ level }) {
      if (!isLogLevel(level)) throw errors.unknownLogLevel({ level });
      log.level = level;
      return {};
    },
  };
}

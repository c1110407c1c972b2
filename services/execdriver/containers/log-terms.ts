import type { LogConfig } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';
import type { SentLog } from '../logs/forward/destination.ts';
import type { Terms } from './record.ts';

type LogTerms = Pick<Terms, 'logDriver' | 'logMaxSize' | 'logMaxFiles' | 'sentLog' | 'isLogUnreadable'>;

/** Both are names for what is kept here. */
const keptDrivers = ['', 'json-file', 'local'];

const kept = { size: 10 * 1024 * 1024, files: 3 };
/** Of what is sent on the newest is kept, so that it can be read here too. */
const cached = { size: 20 * 1024 * 1024, files: 5 };

/** How a container's log is kept, and sent on. Throws BAD_SPEC. */
export function logTermsOf(log: LogConfig | undefined): LogTerms {
  const { driver = '', options = {} } = log ?? {};
  if (driver === 'none' || keptDrivers.includes(driver)) {
    return { logDriver: driver || 'json-file', ...sizesOf(options['max-size'], options['max-file'], kept) };
  }
  if (log === undefined || !isSent(driver)) {
    const known = 'json-file, local and none are kept here, syslog and journald sent on';
    const detail = `unknown log driver ${JSON.stringify(driver)}: ${known}`;
    throw errors.badSpec({ field: 'log.driver', detail });
  }
  const { tag, attributes, imageName } = log;
  return {
    logDriver: driver,
    ...sizesOf(options['cache-max-size'], options['cache-max-file'], cached),
    sentLog: { driver, options, tag, attributes, imageName },
    ...(/^(1|t|true)$/i.test(options['cache-disabled'] ?? '') && { isLogUnreadable: true }),
  };
}

function isSent(driver: string): driver is SentLog['driver'] {
  return driver === 'syslog' || driver === 'journald';
}

function sizesOf(size: string | undefined, files: string | undefined, usual: { size: number; files: number }) {
  return {
    logMaxSize: size === undefined ? usual.size : parseSize(size),
    logMaxFiles: files === undefined ? usual.files : parseCount(files),
  };
}

const units: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `10m`, `1.5g`, `-1`: never. */
function parseSize(text: string): number {
  if (text === '-1') return 0;
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim());
  const size = match ? Math.floor(Number(match[1]) * (units[match[2]?.toLowerCase() || 'b'] ?? 1)) : 0;
  if (size <= 0) throw errors.badSpec({ field: 'log.options', detail: `invalid size: '${text}'` });
  return size;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) {
    const detail = `invalid value for 'max-file': ${JSON.stringify(text)}: a whole number from 1 on`;
    throw errors.badSpec({ field: 'log.options', detail });
  }
  return count;
}

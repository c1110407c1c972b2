import { isUnderstood } from './tag.ts';

/** The log drivers, as `--log-driver` names them. */
export const logDrivers = ['journald', 'json-file', 'local', 'none', 'syslog'] as const;

/** What `docker info` lists: `none` is the want of one. */
export const realLogDrivers: readonly string[] = logDrivers.filter((name) => name !== 'none');

type Options = Readonly<Record<string, string>>;

/** Any driver takes these: how it is written, and how what it sends elsewhere is kept here. */
const common = ['mode', 'max-buffer-size', 'cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress'];
const attributes = ['labels', 'labels-regex', 'env', 'env-regex', 'tag'];
const own: Readonly<Record<string, readonly string[]>> = {
  'json-file': [...attributes, 'max-size', 'max-file', 'compress'],
  local: [...attributes, 'max-size', 'max-file', 'compress'],
  journald: attributes,
  syslog: [
    ...attributes,
    'syslog-address',
    'syslog-facility',
    'syslog-format',
    'syslog-tls-ca-cert',
    'syslog-tls-cert',
    'syslog-tls-key',
    'syslog-tls-skip-verify',
  ],
};

/** What is wrong with a log driver's name or options, in Docker's words; undefined: nothing. */
export function logProblem(driver: string, options: Options): string | undefined {
  if (driver === 'none') return undefined;
  return modeProblem(options) ?? nameProblem(driver, options) ?? valueProblem(options);
}

function modeProblem({ mode = '', 'max-buffer-size': buffer }: Options): string | undefined {
  if (!['', 'blocking', 'non-blocking'].includes(mode)) return `logger: logging mode not supported: ${mode}`;
  if (buffer === undefined) return undefined;
  if (mode !== 'non-blocking') return "logger: max-buffer-size option is only supported with 'mode=non-blocking'";
  return isSize(buffer) ? undefined : `error parsing option max-buffer-size: invalid size: '${buffer}'`;
}

function nameProblem(driver: string, options: Options): string | undefined {
  const known = own[driver];
  if (known === undefined) return `logger: no log driver named '${driver}' is registered`;
  const unknown = Object.keys(options).find((name) => !known.includes(name) && !common.includes(name));
  if (unknown === undefined) return undefined;
  return driver === 'local'
    ? `unknown log opt '${unknown}' for log driver local`
    : `unknown log opt '${unknown}' for ${driver} log driver`;
}

const checks: Readonly<Record<string, (value: string) => string | undefined>> = {
  'max-size': sizeProblem,
  'max-file': countProblem,
  compress: (value) => truthProblem('compress', value),
  'cache-max-size': sizeProblem,
  'cache-max-file': countProblem,
  'cache-compress': (value) => truthProblem('cache-compress', value),
  'cache-disabled': (value) => truthProblem('cache-disabled', value),
  'syslog-address': addressProblem,
  'syslog-facility': (value) => (isFacility(value) ? undefined : 'invalid syslog facility'),
  'syslog-format': (value) =>
    ['', 'rfc3164', 'rfc5424', 'rfc5424micro'].includes(value) ? undefined : 'Invalid syslog format',
  'labels-regex': (value) => patternProblem('labels-regex', value),
  'env-regex': (value) => patternProblem('env-regex', value),
  tag: (value) => (isUnderstood(value) ? undefined : `invalid log tag: template: log-tag: cannot read ${value}`),
};

function valueProblem(options: Options): string | undefined {
  for (const [name, value] of Object.entries(options)) {
    const problem = checks[name]?.(value);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const isSize = (text: string): boolean => /^\d+(\.\d+)?\s*[kmgt]?(i?b)?$/i.test(text) && Number.parseFloat(text) > 0;

function sizeProblem(text: string): string | undefined {
  return text === '-1' || isSize(text) ? undefined : `invalid size: '${text}'`;
}

function countProblem(text: string): string | undefined {
  if (!/^[+-]?\d{1,9}$/.test(text)) return `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
  return Number(text) < 1 ? 'max-file cannot be less than 1' : undefined;
}

/** As Go's strconv.ParseBool. */
function truthProblem(name: string, text: string): string | undefined {
  if (/^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(text)) return undefined;
  return `invalid value for ${name}: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
}

function patternProblem(name: string, text: string): string | undefined {
  try {
    new RegExp(text);
    return undefined;
  } catch {
    return `invalid value for ${name}: ${JSON.stringify(text)} is no regular expression`;
  }
}

function addressProblem(address: string): string | undefined {
  if (address === '' || /^unix(gram)?:\/\/\/.+/.test(address)) return undefined;
  const host = /^(?:udp|tcp|tcp\+tls):\/\/(?:\[[0-9a-fA-F:.]+\]|[^:/[\]\s]+)(?::(\d{1,5}))?\/?$/.exec(address);
  if (host !== null && Number(host[1] ?? 514) <= 65_535) return undefined;
  return `syslog-address should be in form proto://address, got ${address}`;
}

/** RFC 5424 §6.2.1, by the names of syslog(3). */
const facilities = 'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp'.split(' ');
const isFacility = (text: string): boolean =>
  text === '' ||
  facilities.includes(text) ||
  /^local[0-7]$/.test(text) ||
  (/^\d{1,2}$/.test(text) && Number(text) <= 23);

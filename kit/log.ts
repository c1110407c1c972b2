import pino from 'pino';

export type Logger = pino.Logger;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof logLevels)[number];

export function isLogLevel(text: string): text is LogLevel {
  return logLevels.some((level) => level === text);
}

/** Members of logged objects whose values are secrets wherever they stand. */
const secrets = ['password', 'auth', 'token', 'identityToken', 'registryToken', 'authorization'];

export interface LoggerOptions {
  role: string;
  level?: LogLevel;
  /** text: a line for people, `12:03:04.123 INFO  graphdriver  mounted layer=1f2e`; json: one object a line. */
  format?: 'text' | 'json';
  /** Where the lines go; standard error when left out. */
  write?: (line: string) => void;
}

/** A logger of its own for one service; several may live in one process. */
export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? toStandardError();
  const colour = options.write === undefined && process.stderr.isTTY === true;
  const format = options.format ?? 'text';
  return pino(
    {
      level: options.level ?? 'info',
      base: { role: options.role },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: secrets.flatMap((name) => [name, `*.${name}`]),
        censor: '[secret]',
      },
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write: format === 'json' ? write : (line: string) => write(readable(line, colour)),
    },
  );
}

export function silentLogger(): Logger {
  return createLogger({
    role: 'silent',
    level: 'silent',
    write: () => undefined,
  });
}

/** Synchronous, so that the last line before a crash is there to be read. A closed pipe loses lines, not the service. */
function toStandardError(): (line: string) => void {
  const destination = pino.destination({ dest: 2, sync: true });
  destination.on('error', () => undefined);
  return (line) => {
    destination.write(line);
  };
}

const colours: Readonly<Record<string, number>> = {
  debug: 36,
  info: 32,
  warn: 33,
  error: 31,
  fatal: 31,
};

function readable(json: string, colour: boolean): string {
  const { level, time, role, msg, err, ...rest } = JSON.parse(json) as Record<string, unknown>;
  const name = String(level).toUpperCase().padEnd(5);
  const shownLevel = colour ? `\x1b[${colours[String(level)] ?? 0}m${name}\x1b[0m` : name;
  const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${valueText(value)}`);
  const clock = String(time).slice(11, 23);
  return `${clock} ${shownLevel} ${String(role).padEnd(11)}  ${oneLine(String(msg ?? ''))}${fields.join('')}${errorText(err)}\n`;
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}

/** The message on the line; the stack, where there is one, indented below it. */
function errorText(err: unknown): string {
  if (typeof err !== 'object' || err === null) return err === undefined ? '' : ` error=${valueText(err)}`;
  const { message, stack } = err as { message?: unknown; stack?: unknown };
  const frames = typeof stack === 'string' ? stack.split('\n').filter((line) => /^\s+at /.test(line)) : [];
  return [` error=${JSON.stringify(String(message))}`, ...frames].join('\n');
}

/** What a container or a peer put into a message cannot forge a line. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => JSON.stringify(control).slice(1, -1));
}

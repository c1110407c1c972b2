import type { RunConfig } from '../image-file.ts';
import { InstructionProblem } from './instruction-problem.ts';
import { jsonList } from './json-list.ts';

type Healthcheck = NonNullable<RunConfig['Healthcheck']>;

const healthcheckFlags: Readonly<Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
};

/** What stands behind HEALTHCHECK: `[--interval=… …] CMD command`, or NONE. */
export function healthcheckOf(text: string): Healthcheck {
  const check: Healthcheck = {};
  let rest = text;
  for (let flag = /^--([a-z-]+)=(\S*)\s*/.exec(rest); flag !== null; flag = /^--([a-z-]+)=(\S*)\s*/.exec(rest)) {
    const [whole, name = '', value = ''] = flag;
    const field = healthcheckFlags[name];
    if (field !== undefined) check[field] = durationOf(name, value);
    else if (name === 'retries') check.Retries = retriesOf(value);
    else throw new InstructionProblem(`unknown flag: ${name}`);
    rest = rest.slice(whole.length);
  }
  const [, type = '', command = ''] = /^(\S+)\s*(.*)$/s.exec(rest) ?? [];
  switch (type.toUpperCase()) {
    case '':
      throw new InstructionProblem('HEALTHCHECK requires at least one argument');
    case 'NONE':
      if (command !== '') throw new InstructionProblem('HEALTHCHECK NONE takes no arguments');
      return { Test: ['NONE'] };
    case 'CMD': {
      if (command === '') throw new InstructionProblem('Missing command after HEALTHCHECK CMD');
      const list = jsonList(command);
      return { ...check, Test: list === undefined ? ['CMD-SHELL', command] : ['CMD', ...list] };
    }
    default:
      throw new InstructionProblem(`Unknown type "${type}" in HEALTHCHECK (try CMD)`);
  }
}

const nanoseconds: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Go's durations: `1m30s`. */
function durationOf(flag: string, text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw new InstructionProblem(`time: invalid duration "${text}"`);
  }
  let sum = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)([a-zµ]+)/g)) {
    sum += Number(amount) * (nanoseconds[unit] ?? 0);
  }
  if (sum !== 0 && sum < 1e6) throw new InstructionProblem(`Interval "${flag}" cannot be less than 1ms`);
  return Math.round(sum);
}

function retriesOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InstructionProblem(`--retries must be a number (not ${text})`);
  return Number(text);
}

import { constants } from 'node:os';
import { errors } from '../errors.ts';

export const SIGKILL = constants.signals.SIGKILL;
const lastRealtime = 64;
/** SIGRTMIN as glibc has it; the kernel's first two are its own. */
const firstRealtime = 34;

/** Of a name with or without SIG, or a number. BAD_SIGNAL. */
export function signalNumber(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= lastRealtime) return number;
    throw errors.badSignal({ signal: text });
  }
  const name = `SIG${text.toUpperCase().replace(/^SIG/, '')}`;
  const number = (constants.signals as Record<string, number>)[name] ?? realtime(name);
  if (number === undefined) throw errors.badSignal({ signal: text });
  return number;
}

function realtime(name: string): number | undefined {
  const [, end, sign, distance = '0'] = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name) ?? [];
  if (end === undefined || (sign !== undefined && sign !== (end === 'MIN' ? '+' : '-'))) return undefined;
  const number = end === 'MIN' ? firstRealtime + Number(distance) : lastRealtime - Number(distance);
  return number >= firstRealtime && number <= lastRealtime ? number : undefined;
}

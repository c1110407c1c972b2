import { constants } from 'node:os';
import { processAlive, signalProcess } from '../../../kit/linux/process.ts';
import { errors } from '../errors.ts';
import type { ProcessMark } from './record.ts';

const largest = 64;

/** Sends a signal by its number to this very process. False when it is gone. */
export function signalMarked({ pid, startTime }: ProcessMark, signal: number): boolean {
  checkSignal(signal);
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  if (isSignalName(name)) return signalProcess(pid, startTime, name);
  // Real-time signals have no names here.
  return processAlive(pid, startTime) && process.kill(pid, signal);
}

export function checkSignal(signal: number): void {
  if (Number.isInteger(signal) && signal >= 0 && signal <= largest) return;
  throw errors.badSpec({ field: 'signal', detail: `invalid signal: ${signal}` });
}

function isSignalName(name: string | undefined): name is NodeJS.Signals {
  return name !== undefined && name in constants.signals;
}

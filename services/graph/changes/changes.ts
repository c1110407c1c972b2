import { errors } from '../errors.ts';
import type { RunConfig } from '../image-file.ts';
import { InstructionProblem } from './instruction-problem.ts';
import { instructions } from './instructions.ts';

const mostChanges = 1000;
const longestChange = 64 * 1024;

/** The config that Dockerfile instructions make of an empty one. BAD_CHANGE. */
export function configFrom(changes: readonly string[]): RunConfig {
  const lines = linesOf(changes);
  if (lines.length > mostChanges) {
    throw errors.badChange({ change: '', problem: `more than ${mostChanges} changes` });
  }
  const config: RunConfig = {};
  for (const line of lines) follow(config, line);
  return config;
}

function follow(config: RunConfig, line: string): void {
  const change = line.slice(0, 200);
  if (line.length > longestChange) throw errors.badChange({ change, problem: 'a change is longer than 64 KiB' });
  const [, name = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
  const instruction = Object.hasOwn(instructions, name.toUpperCase()) ? instructions[name.toUpperCase()] : undefined;
  if (instruction === undefined) {
    throw errors.badChange({ change, problem: `${name.slice(0, 200)} is not a valid change command` });
  }
  try {
    instruction(config, rest);
  } catch (cause) {
    if (cause instanceof InstructionProblem) throw errors.badChange({ change, problem: cause.message }, { cause });
    throw cause;
  }
}

/** As a Dockerfile is read: lines that end in a backslash go on, comments and empty lines do not count. */
function linesOf(changes: readonly string[]): string[] {
  const lines = changes
    .join('\n')
    .split('\n')
    .filter((line) => !/^\s*(?:#|$)/.test(line));
  return lines
    .join('\n')
    .replaceAll(/\\[ \t]*\n/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

import { parseArgs } from 'node:util';
import { type Name, names } from './figure.ts';

export interface Options {
  /** Few runs, for a look; nothing is written. */
  readonly isQuick: boolean;
  /** Names of the paths to run; empty: all. */
  readonly only: readonly string[];
  readonly engines: readonly Name[];
  readonly printsJson: boolean;
  readonly writesReadme: boolean;
  readonly wantsHelp: boolean;
}

export class WrongOption extends Error {}

/** Throws WrongOption, whose message is for the person at the terminal. */
export function parseOptions(words: readonly string[], paths: readonly string[]): Options {
  const values = parse(words);
  const only = listed(values.only);
  const engines = listed(values.engines);
  refuseUnknown('--only', only, paths);
  refuseUnknown('--engines', engines, names);
  const options: Options = {
    isQuick: values.quick,
    only,
    engines: engines.length === 0 ? names : names.filter((name) => engines.includes(name)),
    printsJson: values.json,
    writesReadme: values['write-readme'],
    wantsHelp: values.help,
  };
  if (options.writesReadme && !isFull(options)) {
    throw new WrongOption('--write-readme needs a full run: without --quick, --only and --engines');
  }
  return options;
}

/** Whether the run's figures are worth keeping. */
export function isFull(options: Options): boolean {
  return !options.isQuick && options.only.length === 0 && options.engines.length === names.length;
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        engines: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
        'write-readme': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new WrongOption(error instanceof Error ? error.message : String(error));
  }
}

/** `--only a --only b` and `--only a,b` mean the same. */
function listed(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',')).filter(Boolean);
}

function refuseUnknown(flag: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.find((value) => !known.includes(value));
  if (unknown !== undefined) throw new WrongOption(`${flag} ${unknown}: there is only ${known.join(', ')}`);
}

import { constants } from 'node:os';
import { posix } from 'node:path';
import type { RunConfig } from '../image-file.ts';
import { healthcheckOf } from './healthcheck.ts';
import { InstructionProblem } from './instruction-problem.ts';
import { jsonList } from './json-list.ts';
import { expand, splitWords } from './shell-words.ts';

/** Follows one Dockerfile instruction: `rest` is what stands behind its name. */
export type Instruction = (config: RunConfig, rest: string) => void;

const shell = ['/bin/sh', '-c'];

/** The instructions that may change an image's config without building, as `docker import --change` takes them. */
export const instructions: Readonly<Record<string, Instruction>> = {
  CMD(config, rest) {
    config.Cmd = commandOf(rest);
  },
  ENTRYPOINT(config, rest) {
    config.Entrypoint = commandOf(rest);
  },
  ENV(config, rest) {
    for (const [name, value] of pairsOf('ENV', rest, config)) {
      const env = [...(config.Env ?? [])];
      const at = env.findIndex((entry) => entry.startsWith(`${name}=`));
      env[at < 0 ? env.length : at] = `${name}=${value}`;
      config.Env = env;
    }
  },
  EXPOSE(config, rest) {
    const ports = wordsOf('EXPOSE', rest, config).flatMap(portsOf).sort();
    config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
  },
  HEALTHCHECK(config, rest) {
    config.Healthcheck = healthcheckOf(rest);
  },
  LABEL(config, rest) {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairsOf('LABEL', rest, config)) };
  },
  ONBUILD(config, rest) {
    const trigger = (/^\S+/.exec(rest)?.[0] ?? '').toUpperCase();
    if (trigger === '') throw new InstructionProblem('ONBUILD requires at least one argument');
    if (trigger === 'ONBUILD') {
      throw new InstructionProblem("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    }
    if (trigger === 'MAINTAINER' || trigger === 'FROM') {
      throw new InstructionProblem(`${trigger} isn't allowed as an ONBUILD trigger`);
    }
    config.OnBuild = [...(config.OnBuild ?? []), rest];
  },
  STOPSIGNAL(config, rest) {
    const signal = onlyWord('STOPSIGNAL', rest, config);
    if (!isSignal(signal)) throw new InstructionProblem(`invalid signal: ${signal}`);
    config.StopSignal = signal;
  },
  USER(config, rest) {
    config.User = onlyWord('USER', rest, config);
  },
  VOLUME(config, rest) {
    const paths = (jsonList(rest) ?? wordsOf('VOLUME', rest, config)).map((path) => path.trim());
    if (paths.length === 0) throw new InstructionProblem('VOLUME requires at least one argument');
    if (paths.includes('')) throw new InstructionProblem('VOLUME specified can not be an empty string');
    config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) };
  },
  WORKDIR(config, rest) {
    const path = rest === '' ? '' : expand(rest, variablesOf(config));
    if (path === '') throw new InstructionProblem('WORKDIR requires exactly one argument');
    config.WorkingDir = posix.resolve('/', config.WorkingDir ?? '', path);
  },
};

/** Exec form (a JSON list) as it is, shell form through the shell. */
function commandOf(rest: string): string[] {
  return jsonList(rest) ?? (rest === '' ? [] : [...shell, rest]);
}

function variablesOf(config: RunConfig): Map<string, string> {
  return new Map(
    (config.Env ?? []).map((entry) => {
      const equals = entry.indexOf('=');
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

function wordsOf(name: string, rest: string, config: RunConfig): string[] {
  const variables = variablesOf(config);
  const words = splitWords(rest).map((word) => expand(word, variables));
  if (words.length === 0) throw new InstructionProblem(`${name} requires at least one argument`);
  return words;
}

function onlyWord(name: string, rest: string, config: RunConfig): string {
  const [word, ...more] = wordsOf(name, rest, config);
  if (word === undefined || more.length > 0) throw new InstructionProblem(`${name} requires exactly one argument`);
  return word;
}

/** `name=value …`, or the old form `name the rest of the line`. */
function pairsOf(instruction: string, rest: string, config: RunConfig): [string, string][] {
  const variables = variablesOf(config);
  const words = splitWords(rest);
  const [first] = words;
  if (first === undefined) throw new InstructionProblem(`${instruction} requires at least one argument`);
  if (!first.includes('=')) {
    const [, name, value] = /^(\S+)\s+(.+)$/s.exec(rest) ?? [];
    if (name === undefined || value === undefined) {
      throw new InstructionProblem(`${instruction} must have two arguments`);
    }
    return [[expand(name, variables), expand(value, variables)]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) {
      throw new InstructionProblem(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    }
    const name = expand(word.slice(0, equals), variables);
    if (name === '') throw new InstructionProblem(`${instruction} names can not be blank`);
    return [name, expand(word.slice(equals + 1), variables)];
  });
}

/** `80`, `80/udp`, `8000-8010/tcp`. */
function portsOf(text: string): string[] {
  const [, first, last = first, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === undefined || from < 1 || to > 65535 || to < from) {
    throw new InstructionProblem(`Invalid containerPort: ${text}`);
  }
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}/${protocol.toLowerCase()}`);
}

function isSignal(text: string): boolean {
  if (/^\d+$/.test(text)) return Number(text) >= 1 && Number(text) <= 64;
  const name = text.toUpperCase().replace(/^SIG/, '');
  return `SIG${name}` in constants.signals || /^RTM(?:IN(?:\+\d{1,2})?|AX(?:-\d{1,2})?)$/.test(name);
}

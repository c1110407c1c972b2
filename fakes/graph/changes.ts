import { errors } from './errors.ts';
import type { RunConfig } from './images.ts';

/** A run config from Dockerfile instructions. BAD_CHANGE. */
export function configFrom(changes: readonly string[]): RunConfig {
  const config: RunConfig = {};
  for (const change of changes) {
    const [, word = '', rest = ''] = /^\s*(\w+)\s+(.*)$/s.exec(change) ?? [];
    const apply = instructions[word.toUpperCase()];
    if (apply === undefined) throw errors.badChange({ change });
    apply(config, rest.trim());
  }
  return config;
}

const instructions: Readonly<Record<string, (config: RunConfig, text: string) => void>> = {
  CMD: (config, text) => {
    config.Cmd = command(text);
  },
  ENTRYPOINT: (config, text) => {
    config.Entrypoint = command(text);
  },
  ENV: (config, text) => {
    config.Env = [...(config.Env ?? []), text.includes('=') ? text : text.replace(/\s+/, '=')];
  },
  EXPOSE: (config, text) => {
    const ports = text.split(/\s+/).map((port) => [port.includes('/') ? port : `${port}/tcp`, {}] as const);
    config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports) };
  },
  LABEL: (config, text) => {
    const [key = '', value = ''] = text.split('=', 2);
    config.Labels = { ...config.Labels, [key]: value };
  },
  USER: (config, text) => {
    config.User = text;
  },
  VOLUME: (config, text) => {
    config.Volumes = { ...config.Volumes, [text]: {} };
  },
  WORKDIR: (config, text) => {
    config.WorkingDir = text;
  },
  STOPSIGNAL: (config, text) => {
    config.StopSignal = text;
  },
};

/** `["a", "b"]`, or what a shell is given. */
function command(text: string): string[] {
  if (!text.startsWith('[')) return ['/bin/sh', '-c', text];
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw errors.badChange({ change: text }, { cause });
  }
}

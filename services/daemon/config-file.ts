import { readFileSync } from 'node:fs';
import { errors } from './config-errors.ts';
import type { Flags } from './flags.ts';

type Kind = 'text' | 'texts' | 'bool' | 'number' | 'runtimes' | 'ulimits' | 'options';

/** dockerd's keys, and ours, with the flag that says the same. */
const keys: Record<string, { flag: keyof Flags; kind: Kind }> = {
  hosts: { flag: 'host', kind: 'texts' },
  'data-root': { flag: 'dataRoot', kind: 'text' },
  'exec-root': { flag: 'execRoot', kind: 'text' },
  pidfile: { flag: 'pidfile', kind: 'text' },
  bridge: { flag: 'bridge', kind: 'text' },
  'bridge-name': { flag: 'bridgeName', kind: 'text' },
  bip: { flag: 'bip', kind: 'text' },
  icc: { flag: 'icc', kind: 'bool' },
  iptables: { flag: 'iptables', kind: 'bool' },
  'ip-forward': { flag: 'ipForward', kind: 'bool' },
  ip: { flag: 'ip', kind: 'text' },
  mtu: { flag: 'mtu', kind: 'number' },
  dns: { flag: 'dns', kind: 'texts' },
  'dns-search': { flag: 'dnsSearch', kind: 'texts' },
  'dns-opts': { flag: 'dnsOpt', kind: 'texts' },
  'insecure-registries': { flag: 'insecureRegistry', kind: 'texts' },
  'storage-driver': { flag: 'storageDriver', kind: 'text' },
  'storage-opts': { flag: 'storageOpt', kind: 'texts' },
  'default-ulimits': { flag: 'defaultUlimit', kind: 'ulimits' },
  'default-runtime': { flag: 'defaultRuntime', kind: 'text' },
  runtimes: { flag: 'addRuntime', kind: 'runtimes' },
  'cgroup-parent': { flag: 'cgroupParent', kind: 'text' },
  init: { flag: 'init', kind: 'bool' },
  'no-new-privileges': { flag: 'noNewPrivileges', kind: 'bool' },
  'seccomp-profile': { flag: 'seccompProfile', kind: 'text' },
  'default-shm-size': { flag: 'defaultShmSize', kind: 'text' },
  'default-ipc-mode': { flag: 'defaultIpcMode', kind: 'text' },
  'default-cgroupns-mode': { flag: 'defaultCgroupnsMode', kind: 'text' },
  'selinux-enabled': { flag: 'selinuxEnabled', kind: 'bool' },
  'userns-remap': { flag: 'usernsRemap', kind: 'text' },
  'live-restore': { flag: 'liveRestore', kind: 'bool' },
  group: { flag: 'group', kind: 'text' },
  labels: { flag: 'label', kind: 'texts' },
  'log-driver': { flag: 'logDriver', kind: 'text' },
  'log-opts': { flag: 'logOpt', kind: 'options' },
  debug: { flag: 'debug', kind: 'bool' },
  'log-level': { flag: 'logLevel', kind: 'text' },
  'log-format': { flag: 'logFormat', kind: 'text' },
  embedded: { flag: 'embedded', kind: 'bool' },
};

/** Reads a configuration file into flags. A key that the command line gives too is an error that names it. */
export function readConfigFile(path: string, given: Flags): Flags {
  const flags: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(parse(path))) {
    const known = keys[key];
    if (known === undefined) throw errors.unknownKey({ file: path, key });
    if (given[known.flag] !== undefined) throw errors.keyGivenTwice({ file: path, key });
    flags[known.flag] = convert(path, key, known.kind, value);
  }
  return flags as Flags;
}

function parse(path: string): object {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw errors.fileUnreadable({ file: path, why: (cause as Error).message }, { cause });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw errors.fileMalformed({ file: path, why: (cause as Error).message }, { cause });
  }
  throw errors.fileMalformed({ file: path, why: 'it is not an object' });
}

function convert(file: string, key: string, kind: Kind, value: unknown): unknown {
  switch (kind) {
    case 'text':
      if (typeof value === 'string') return value;
      break;
    case 'bool':
      if (typeof value === 'boolean') return value;
      break;
    case 'number':
      if (typeof value === 'number') return String(value);
      break;
    case 'texts':
      if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
      break;
    case 'runtimes':
      return entries(file, key, value).map(([name, runtime]) => `${name}=${String(field(runtime, 'path') ?? '')}`);
    case 'options':
      return entries(file, key, value).map(([name, option]) => `${name}=${String(option)}`);
    case 'ulimits':
      return entries(file, key, value).map(
        ([name, limit]) => `${name}=${String(field(limit, 'Soft') ?? '')}:${String(field(limit, 'Hard') ?? '')}`,
      );
  }
  throw errors.wrongKind({ file, key, wanted: kind === 'texts' ? 'a list of texts' : `a ${kind}` });
}

function entries(file: string, key: string, value: unknown): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value);
  throw errors.wrongKind({ file, key, wanted: 'an object' });
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

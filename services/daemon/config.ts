import { existsSync, readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { resolve } from 'node:path';
import { parseSize } from '../../kit/byte-size.ts';
import { messageOf } from '../../kit/errors.ts';
import { isLogLevel, type LogLevel, logLevels } from '../../kit/log.ts';
import type { Role } from '../../kit/roles.ts';
import type { IdMaps } from '../../proto/gen/longshore/contract/v1/id_maps.ts';
import { errors } from './config-errors.ts';
import { readConfigFile } from './config-file.ts';
import type { Flags } from './flags.ts';
import { logProblem } from './logging/options.ts';

export interface Ulimit {
  name: string;
  /** -1: no limit. */
  soft: bigint;
  hard: bigint;
}

export interface SeccompProfile {
  /** `builtin`, `unconfined`, or the file. */
  readonly name: string;
  /** As the exec driver takes it: empty, `unconfined`, or the file's content. */
  readonly rules: string;
}

/**
 * The engine's configuration: complete, each value well-formed by itself. Conflicts are for the first boot step. A reload
 * changes some of it in place (reload.ts): who needs the present value reads it when it is needed.
 */
export interface Config {
  /** `unix:///path`, `tcp://host:port`. */
  readonly hosts: readonly string[];
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidfile: string;
  readonly group?: string;
  /** An existing bridge; undefined: make `bridgeName`. */
  readonly bridge?: string;
  readonly bridgeName: string;
  readonly bip?: string;
  readonly disableNetwork: boolean;
  readonly icc: boolean;
  readonly iptables: boolean;
  readonly ipForward: boolean;
  readonly bindingIp: string;
  /** 0: the default route's. */
  readonly mtu: number;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly insecureRegistries: readonly string[];
  /** Undefined: used before, else the first that works. */
  readonly storageDriver?: string;
  readonly storageOptions: readonly string[];
  readonly defaultUlimits: readonly Ulimit[];
  readonly defaultRuntime: string;
  readonly runtimes: readonly { name: string; path: string }[];
  readonly cgroupParent: string;
  /** Of containers that say nothing of their own. */
  readonly init: boolean;
  readonly noNewPrivileges: boolean;
  readonly seccompProfile: SeccompProfile;
  /** Bytes. */
  readonly defaultShmSize: number;
  readonly defaultIpcMode: string;
  /** Empty: by the version of cgroups. */
  readonly defaultCgroupnsMode: string;
  readonly selinux: boolean;
  /** As `--userns-remap` gives it, later by names; empty: containers' users are the host's. */
  readonly usernsRemap: string;
  /** What that means. */
  readonly idMaps?: IdMaps;
  readonly liveRestore: boolean;
  /** The engine's own, `key=value`. */
  readonly labels: readonly string[];
  /** Of containers that name none, and options of those that have it. */
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
  /** Services that run elsewhere. */
  readonly endpoints: Readonly<Partial<Record<Role, string>>>;
}

const usualConfigFile = '/etc/longshore/daemon.json';

/** Flags, then the configuration file, then defaults. `environment` is looked at for DOCKER_DRIVER, which beats the flag. */
export function resolveConfig(given: Flags, environment: NodeJS.ProcessEnv): Config {
  const file = given.configFile ?? (existsSync(usualConfigFile) ? usualConfigFile : undefined);
  const flags = file === undefined ? given : { ...readConfigFile(file, given), ...given };
  const execRoot = resolve(flags.execRoot ?? '/run/longshore');
  const storageDriver = environment.DOCKER_DRIVER || flags.storageDriver;
  return {
    hosts: (flags.host ?? [`unix://${execRoot}/docker.sock`]).map(host),
    dataRoot: resolve(flags.dataRoot ?? '/var/lib/longshore'),
    execRoot,
    pidfile: resolve(flags.pidfile ?? `${execRoot}/longshore.pid`),
    bridgeName: interfaceName('bridge-name', flags.bridgeName ?? 'longshore0'),
    disableNetwork: flags.bridge === 'none',
    icc: truth('icc', flags.icc, true),
    iptables: truth('iptables', flags.iptables, true),
    ipForward: truth('ip-forward', flags.ipForward, true),
    bindingIp: address('ip', flags.ip ?? '0.0.0.0'),
    mtu: mtu(flags.mtu),
    dns: (flags.dns ?? []).map((one) => address('dns', one)),
    dnsSearch: (flags.dnsSearch ?? []).map(domain),
    dnsOptions: flags.dnsOpt ?? [],
    insecureRegistries: ['127.0.0.0/8', ...(flags.insecureRegistry ?? [])],
    storageOptions: (flags.storageOpt ?? []).map(storageOption),
    defaultUlimits: (flags.defaultUlimit ?? []).map(ulimit),
    defaultRuntime: flags.defaultRuntime ?? 'crun',
    runtimes: (flags.addRuntime ?? []).map(runtime),
    cgroupParent: flags.cgroupParent ?? '',
    init: truth('init', flags.init, false),
    noNewPrivileges: truth('no-new-privileges', flags.noNewPrivileges, false),
    seccompProfile: seccompProfile(flags.seccompProfile ?? 'builtin'),
    defaultShmSize: shmSize(flags.defaultShmSize),
    defaultIpcMode: oneOf('default-ipc-mode', flags.defaultIpcMode ?? 'private', ['private', 'shareable']),
    defaultCgroupnsMode: oneOf('default-cgroupns-mode', flags.defaultCgroupnsMode ?? '', ['', 'host', 'private']),
    selinux: truth('selinux-enabled', flags.selinuxEnabled, false),
    usernsRemap: flags.usernsRemap ?? '',
    liveRestore: truth('live-restore', flags.liveRestore, true),
    labels: (flags.label ?? []).map(label),
    ...logging(flags),
    logLevel: logLevel(flags),
    logFormat: logFormat(flags.logFormat ?? 'text'),
    endpoints: endpoints(flags),
    ...(flags.group !== undefined && { group: flags.group }),
    ...(flags.bridge !== undefined && flags.bridge !== 'none' && { bridge: interfaceName('bridge', flags.bridge) }),
    ...(flags.bip !== undefined && { bip: cidr(flags.bip) }),
    ...(storageDriver && { storageDriver }),
  };
}

export const isDebug = ({ logLevel }: Pick<Config, 'logLevel'>) => logLevel === 'debug' || logLevel === 'trace';

function host(value: string): string {
  if (/^unix:\/\/\/.+/.test(value) || /^tcp:\/\/(\[[0-9a-fA-F:.]+\]|[^:[\]]+):\d{1,5}$/.test(value)) return value;
  throw errors.badFlag({ flag: 'host', value, wanted: 'unix:///path or tcp://host:port' });
}

function truth(flag: string, value: string | boolean | undefined, usually: boolean): boolean {
  if (value === undefined) return usually;
  if (value === true || value === 'true' || value === '1') return true;
  if (value === false || value === 'false' || value === '0') return false;
  throw errors.badFlag({ flag, value: String(value), wanted: 'true or false' });
}

function oneOf(flag: string, value: string, known: readonly string[]): string {
  if (known.includes(value)) return value;
  throw errors.badFlag({ flag, value, wanted: known.filter(Boolean).join(' or ') });
}

function shmSize(value: string | undefined): number {
  if (value === undefined) return 64 * 1024 * 1024;
  const bytes = parseSize(value);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw errors.badFlag({ flag: 'default-shm-size', value, wanted: 'a size, as 64m' });
}

function seccompProfile(name: string): SeccompProfile {
  if (name === 'builtin') return { name, rules: '' };
  if (name === 'unconfined') return { name, rules: name };
  let problem = 'it has no defaultAction and no list of syscalls';
  try {
    const rules = readFileSync(name, 'utf8');
    const profile: unknown = JSON.parse(rules);
    const isProfile =
      typeof profile === 'object' && profile !== null && 'defaultAction' in profile && 'syscalls' in profile;
    if (isProfile) return { name, rules };
  } catch (cause) {
    problem = messageOf(cause);
  }
  throw errors.badFlag({ flag: 'seccomp-profile', value: name, wanted: `a seccomp profile: ${problem}` });
}

function address(flag: string, value: string): string {
  if (isIPv4(value)) return value;
  throw errors.badFlag({ flag, value, wanted: 'an IPv4 address' });
}

function cidr(value: string): string {
  const [ip, prefix, ...more] = value.split('/');
  const length = Number(prefix);
  if (isIPv4(ip ?? '') && /^\d{1,2}$/.test(prefix ?? '') && length >= 8 && length <= 30 && more.length === 0)
    return value;
  throw errors.badFlag({ flag: 'bip', value, wanted: 'an IPv4 address with its prefix length, as 172.30.0.1/16' });
}

/** The kernel's IFNAMSIZ is 16 with the closing NUL. */
function interfaceName(flag: string, value: string): string {
  if (/^[^\s/:]{1,15}$/.test(value) && value !== '.' && value !== '..') return value;
  throw errors.badFlag({ flag, value, wanted: 'an interface name (1 to 15 characters, no / or space)' });
}

/** 68 is IPv4's least (RFC 791). */
function mtu(value: string | undefined): number {
  if (value === undefined) return 0;
  const bytes = Number(value);
  if (/^\d+$/.test(value) && (bytes === 0 || (bytes >= 68 && bytes <= 65535))) return bytes;
  throw errors.badFlag({ flag: 'mtu', value, wanted: '0 or a number from 68 to 65535' });
}

function domain(value: string): string {
  if (value === '.' || /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\.?$/.test(value)) return value;
  throw errors.badFlag({ flag: 'dns-search', value, wanted: 'a valid domain' });
}

function storageOption(value: string): string {
  if (/^[^=]+=/.test(value)) return value;
  throw errors.badFlag({ flag: 'storage-opt', value, wanted: 'of the form key=value' });
}

function ulimit(value: string): Ulimit {
  const [, name, soft, hard] = /^([a-z]+)=(-?\d{1,18})(?::(-?\d{1,18}))?$/.exec(value) ?? [];
  if (name === undefined || soft === undefined)
    throw errors.badFlag({ flag: 'default-ulimit', value, wanted: 'of the form name=soft[:hard]' });
  return { name, soft: BigInt(soft), hard: BigInt(hard ?? soft) };
}

function runtime(value: string): { name: string; path: string } {
  const [, name, path] = /^([A-Za-z0-9_.-]+)=(.+)$/.exec(value) ?? [];
  if (name !== undefined && path !== undefined) return { name, path };
  throw errors.badFlag({ flag: 'add-runtime', value, wanted: 'of the form name=path' });
}

function logging(flags: Flags): Pick<Config, 'logDriver' | 'logOptions'> {
  const logDriver = flags.logDriver ?? 'json-file';
  const logOptions = Object.fromEntries(
    (flags.logOpt ?? []).map((value) => {
      const at = value.indexOf('=');
      if (at < 1) throw errors.badFlag({ flag: 'log-opt', value, wanted: 'of the form key=value' });
      return [value.slice(0, at), value.slice(at + 1)];
    }),
  );
  const problem = logProblem(logDriver, logOptions);
  if (problem !== undefined) throw errors.badLogging({ problem });
  return { logDriver, logOptions };
}

function label(value: string): string {
  if (/^[^=\s]+=/.test(value)) return value;
  throw errors.badFlag({ flag: 'label', value, wanted: 'of the form key=value' });
}

function logLevel(flags: Flags): LogLevel {
  const level: string = flags.logLevel ?? 'info';
  if (!isLogLevel(level)) throw errors.badFlag({ flag: 'log-level', value: level, wanted: logLevels.join(', ') });
  return flags.debug === true && level !== 'trace' ? 'debug' : level;
}

function logFormat(value: string): 'text' | 'json' {
  if (value === 'text' || value === 'json') return value;
  throw errors.badFlag({ flag: 'log-format', value, wanted: 'text or json' });
}

function endpoints(flags: Flags): Partial<Record<Role, string>> {
  const found: Partial<Record<Role, string>> = {};
  for (const role of ['graph', 'graphdriver', 'execdriver', 'volume', 'network', 'gateway'] as const) {
    const value = flags[`${role}Endpoint`];
    if (value === undefined) continue;
    if (!/^unix:\/\/\/.+|^dns:\/\/\/.+:\d+$/.test(value))
      throw errors.badFlag({ flag: `${role}-endpoint`, value, wanted: 'unix:///path or dns:///host:port' });
    found[role] = value;
  }
  return found;
}

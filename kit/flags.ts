import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { createLogger, type LogLevel, logLevels } from './log.ts';
import { type Role, roles } from './roles.ts';
import { type ServiceConfig, serviceConfig, type TlsFiles } from './service.ts';

interface SharedFlags {
  dataRoot: string;
  execRoot: string;
  listen?: string[];
  group?: string;
  logLevel: LogLevel;
  logFormat: 'text' | 'json';
  tlsCa?: string;
  tlsCert?: string;
  tlsKey?: string;
}

const sharedNames = new Set([
  'dataRoot',
  'execRoot',
  'listen',
  'group',
  'logLevel',
  'logFormat',
  'tlsCa',
  'tlsCert',
  'tlsKey',
]);

/** Reads a service's command line. Prints and exits for --help, --version and what is malformed, as commander does. */
export function parseFlags(role: Role, args: string[], extraOptions?: (command: Command) => void): ServiceConfig {
  const command = sharedOptions(role);
  extraOptions?.(command);
  command.parse(args, { from: 'user' });
  const given = command.opts<SharedFlags & Record<string, unknown>>();
  const tls = tlsFiles(command, given);
  return serviceConfig({
    role,
    dataRoot: given.dataRoot,
    execRoot: given.execRoot,
    endpoints: endpointsGiven(given),
    flags: Object.fromEntries(Object.entries(given).filter(([name]) => !sharedNames.has(name))),
    log: createLogger({ role, level: given.logLevel, format: given.logFormat }),
    ...(given.listen !== undefined && { listen: given.listen }),
    ...(given.group !== undefined && { group: given.group }),
    ...(tls !== undefined && { tls }),
  });
}

function sharedOptions(role: Role): Command {
  const command = new Command(`longshore ${role}`)
    .version(programVersion(), '--version', 'print the version')
    .helpOption('--help', 'show this help')
    .option('--data-root <dir>', 'what must outlive a reboot', '/var/lib/longshore')
    .option('--exec-root <dir>', 'sockets and what need not outlive a reboot', '/run/longshore')
    .option(
      '--listen <endpoint>',
      'unix:///path or tcp://host:port; repeatable (default: the role’s socket in exec root)',
      listenList,
    )
    .option('-G, --group <group>', 'group that may use the sockets')
    .addOption(new Option('--log-level <level>', 'the least to log').choices(logLevels).default('info'))
    .addOption(
      new Option('--log-format <format>', 'lines for people or for programs').choices(['text', 'json']).default('text'),
    )
    .option('--tls-ca <file>', 'certificate authority of both ends; needed on TCP beyond loopback')
    .option('--tls-cert <file>', 'this program’s certificate')
    .option('--tls-key <file>', 'its key');
  for (const peer of roles) {
    if (peer !== role)
      command.option(
        `--${peer}-endpoint <endpoint>`,
        `where ${peer} answers: unix:///path or dns:///host:port`,
        dialable,
      );
  }
  return command.addHelpText('after', examples(role));
}

function examples(role: Role): string {
  return `
Examples:
  On the usual roots, as the coordinator starts it:
    longshore ${role}
  Beside another engine, on roots of its own, with debug lines:
    longshore ${role} --data-root /srv/two --exec-root /run/two --log-level debug
  For a group, on two sockets:
    longshore ${role} -G docker --listen unix:///run/two/${role}.sock --listen tcp://127.0.0.1:7000
`;
}

function listenList(value: string, before: string[] = []): string[] {
  if (!/^unix:\/\/\/.+|^tcp:\/\/.+:\d+$/.test(value))
    throw new InvalidArgumentError('Use unix:///path or tcp://host:port.');
  return [...before, value];
}

function dialable(value: string): string {
  if (!/^unix:\/\/\/.+|^dns:\/\/\/.+:\d+$/.test(value))
    throw new InvalidArgumentError('Use unix:///path or dns:///host:port.');
  return value;
}

function endpointsGiven(given: Record<string, unknown>): Partial<Record<Role, string>> {
  const endpoints: Partial<Record<Role, string>> = {};
  for (const peer of roles) {
    const endpoint = given[`${peer}Endpoint`];
    if (typeof endpoint === 'string') endpoints[peer] = endpoint;
  }
  return endpoints;
}

function tlsFiles(command: Command, given: SharedFlags): TlsFiles | undefined {
  const { tlsCa: ca, tlsCert: cert, tlsKey: key } = given;
  if (ca !== undefined && cert !== undefined && key !== undefined) return { ca, cert, key };
  if (ca ?? cert ?? key) command.error('error: --tls-ca, --tls-cert and --tls-key go together');
  return undefined;
}

/** The program's version: package.json's, of which a bundle has a copy beside it. */
export function programVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

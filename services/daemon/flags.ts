import { Command, Option } from 'commander';
import { programVersion } from '../../kit/flags.ts';
import { type LogLevel, logLevels } from '../../kit/log.ts';

/** The daemon's command line as given, before the configuration file is read and defaults are filled in. */
export interface Flags {
  host?: string[];
  dataRoot?: string;
  execRoot?: string;
  pidfile?: string;
  bridge?: string;
  bip?: string;
  bridgeName?: string;
  icc?: string | boolean;
  iptables?: string | boolean;
  ipForward?: string | boolean;
  ip?: string;
  mtu?: string;
  storageDriver?: string;
  storageOpt?: string[];
  dns?: string[];
  dnsSearch?: string[];
  dnsOpt?: string[];
  group?: string;
  defaultUlimit?: string[];
  defaultRuntime?: string;
  addRuntime?: string[];
  cgroupParent?: string;
  init?: string | boolean;
  noNewPrivileges?: string | boolean;
  seccompProfile?: string;
  defaultShmSize?: string;
  defaultIpcMode?: string;
  defaultCgroupnsMode?: string;
  selinuxEnabled?: string | boolean;
  usernsRemap?: string;
  liveRestore?: string | boolean;
  insecureRegistry?: string[];
  label?: string[];
  configFile?: string;
  debug?: boolean;
  logLevel?: LogLevel;
  logFormat?: 'text' | 'json';
  logDriver?: string;
  logOpt?: string[];
  embedded?: boolean;
  validate?: boolean;
  graphEndpoint?: string;
  graphdriverEndpoint?: string;
  execdriverEndpoint?: string;
  volumeEndpoint?: string;
  networkEndpoint?: string;
  gatewayEndpoint?: string;
}

const examples = `
Examples:
  On the usual roots; then: export DOCKER_HOST=unix:///run/longshore/docker.sock
    longshore daemon
  A second engine beside it:
    longshore daemon --data-root /srv/two --exec-root /run/two --bridge-name two0
  All seven in one process, and nothing left when it ends:
    longshore daemon --embedded --live-restore=false
  Check flags and configuration file, start nothing:
    longshore daemon --validate --config-file ./daemon.json
`;

const repeated = (value: string, before: string[] = []): string[] => [...before, value];

/** Not the negation of a flag, which the parser takes it for by its name. */
function noNewPrivileges(): Option {
  const option = new Option('--no-new-privileges [bool]', 'containers’ processes gain none (default: false)');
  option.negate = false;
  return option;
}

/** The daemon's flags, named as dockerd names them where it has them. */
export function daemonCommand(): Command {
  return new Command('longshore daemon')
    .description('The coordinator: starts the services, boots the engine step by step, keeps it running.')
    .version(programVersion(), '--version', 'print the version')
    .helpOption('--help', 'show this help')
    .optionsGroup('Where')
    .option(
      '-H, --host <endpoint>',
      'where clients reach the engine; repeatable (default: <exec-root>/docker.sock)',
      repeated,
    )
    .option('-g, --data-root <dir>', 'what must outlive a reboot (default: /var/lib/longshore)')
    .option('--exec-root <dir>', 'sockets and what need not outlive a reboot (default: /run/longshore)')
    .option('-p, --pidfile <file>', 'where the pid is written (default: <exec-root>/longshore.pid)')
    .option('-G, --group <group>', 'group that may use the sockets (default: docker, if there is one)')
    .option('--config-file <file>', 'JSON with dockerd’s keys (default: /etc/longshore/daemon.json, if it is there)')
    .optionsGroup('Network')
    .option('-b, --bridge <name>', 'an existing bridge for containers, or none to disable networking')
    .option('--bridge-name <name>', 'the bridge that the engine makes (default: longshore0)')
    .option('--bip <cidr>', 'address of the bridge (default: the first range that is free)')
    .option('--icc [bool]', 'containers may reach each other (default: true)')
    .option('--iptables [bool]', 'let the engine add firewall rules (default: true)')
    .option('--ip-forward [bool]', 'turn on IPv4 forwarding (default: true)')
    .option('--ip <address>', 'where published ports are bound when they name no address (default: 0.0.0.0)')
    .option('--mtu <bytes>', 'of containers’ interfaces (default: the default route’s)')
    .option('--dns <address>', 'resolver for containers; repeatable', repeated)
    .option('--dns-search <domain>', 'search domain for containers; repeatable', repeated)
    .option('--dns-opt <option>', 'resolver option for containers; repeatable', repeated)
    .option(
      '--insecure-registry <where>',
      'registry, or network of registries, spoken to without TLS; repeatable',
      repeated,
    )
    .optionsGroup('Storage and processes')
    .option('-s, --storage-driver <name>', 'overlay2, btrfs or vfs (default: used before, else the first that works)')
    .option('--storage-opt <key=value>', 'option of the storage driver; repeatable', repeated)
    .option('--default-ulimit <name=soft[:hard]>', 'limit for containers; repeatable', repeated)
    .option('--default-runtime <name>', 'OCI runtime (default: crun)')
    .option('--add-runtime <name=path>', 'another OCI runtime; repeatable', repeated)
    .option('--cgroup-parent <path>', 'cgroup that containers’ are made in')
    .option('--init [bool]', 'an init as process 1 of containers (default: false)')
    .addOption(noNewPrivileges())
    .option('--seccomp-profile <file>', 'filter of system calls: builtin, unconfined or a JSON file (default: builtin)')
    .option('--default-shm-size <bytes>', 'of /dev/shm, as 64m (default: 64m)')
    .option('--default-ipc-mode <mode>', 'private, or shareable with other containers (default: private)')
    .option('--default-cgroupns-mode <mode>', 'host or private (default: private on cgroup version 2, else host)')
    .option(
      '--log-driver <name>',
      'of containers that name none: json-file or local (kept alike), syslog, journald, none',
    )
    .option('--log-opt <key=value>', 'option of that log driver; repeatable', repeated)
    .option('--selinux-enabled [bool]', 'label containers for SELinux (default: false)')
    .option(
      '--userns-remap <user[:group]>',
      'map users of containers to the subordinate ids of this user; default: dockremap (default: no mapping)',
    )
    .option('--live-restore [bool]', 'containers go on when the engine ends (default: true)')
    .option('--label <key=value>', 'of the engine, as docker info shows it; repeatable', repeated)
    .optionsGroup('Running')
    .option('--embedded', 'all seven in one process')
    .option('--validate', 'check flags and configuration file, start nothing')
    .option('-D, --debug', 'log at least what --log-level debug does')
    .addOption(new Option('--log-level <level>', 'the least to log (default: info)').choices(logLevels))
    .addOption(
      new Option('--log-format <format>', 'for people or for programs (default: text)').choices(['text', 'json']),
    )
    .optionsGroup('Services that run elsewhere')
    .option('--graph-endpoint <endpoint>', 'unix:///path or dns:///host:port')
    .option('--graphdriver-endpoint <endpoint>', 'likewise')
    .option('--execdriver-endpoint <endpoint>', 'likewise')
    .option('--volume-endpoint <endpoint>', 'likewise')
    .option('--network-endpoint <endpoint>', 'likewise')
    .option('--gateway-endpoint <endpoint>', 'likewise')
    .addHelpText('after', examples);
}

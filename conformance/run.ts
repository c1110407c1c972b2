import { execSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after } from 'node:test';
import { Argument, Command, Option } from 'commander';
import { messageOf } from '../kit/errors.ts';
import type { Target } from './common/session.ts';
import { makeRoot } from './execdriver/root.ts';
import { execdriverSuite } from './execdriver/suite.ts';
import { startLayers } from './graph/layers.ts';
import { graphSuite } from './graph/suite.ts';
import { graphdriverSuite } from './graphdriver/suite.ts';
import { networkSuite } from './network/suite.ts';
import { volumeSuite } from './volume/suite.ts';

interface Flags {
  endpoint: string;
  local?: boolean;
  restartCommand?: string;
  dataRoot?: string;
  driver?: string;
  graphdriverEndpoint?: string;
  rootPath?: string;
  runtime?: string;
  bip?: string;
  bridgeName?: string;
}

const subsystems = ['graph', 'graphdriver', 'execdriver', 'volume', 'network'] as const;
type Subsystem = (typeof subsystems)[number];

/** Members that were not given are left out, not undefined. */
function given<T extends object>(flags: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Registers the suite; node:test runs it when this program's first turn is over. */
const prove: Readonly<Record<Subsystem, (target: Target, flags: Flags) => Promise<void> | void>> = {
  graphdriver: (target, { driver, dataRoot }) => graphdriverSuite({ ...target, ...given({ driver, dataRoot }) }),
  volume: (target) => volumeSuite(target),
  network: (target, { bip, bridgeName }) => networkSuite({ ...target, ...given({ bip, bridgeName }) }),
  async graph(target, { graphdriverEndpoint, driver = 'overlay2' }) {
    if (graphdriverEndpoint !== undefined) return graphSuite({ ...target, graphdriverEndpoint, driver });
    const layers = await startLayers();
    graphSuite({ ...target, ...layers.fixtures });
    after(layers.stop);
  },
  async execdriver(target, { rootPath, runtime }) {
    const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
    if (rootPath === undefined && busybox === undefined) {
      throw new Error('--root-path is needed: there is no /bin/busybox to make a root filesystem of');
    }
    const made = rootPath === undefined ? await makeRoot(busybox ?? '') : undefined;
    execdriverSuite({ ...target, rootPath: rootPath ?? made?.path ?? '', ...given({ runtime }) });
    after(async () => made?.remove());
  },
};

const command = new Command('node conformance/run.ts')
  .description(
    'Proves an implementation of one of the contracts, in whatever language it is written.\n' +
      'It is given orders as by a coordinator and is drained: let it serve nothing else, on roots of its own.',
  )
  .addArgument(new Argument('<subsystem>', 'the contract').choices(subsystems))
  .addOption(
    new Option('--endpoint <endpoint>', 'where it answers: unix:///path or dns:///host:port').makeOptionMandatory(),
  )
  .option('--local', 'it runs on this host: look at the paths that it gives out (needs its privileges)')
  .option('--restart-command <command>', 'ends it and starts it anew; without, what must survive that is skipped')
  .option('--data-root <dir>', 'graphdriver: its data root, for archives handed over as paths')
  .option('--driver <name>', 'graphdriver, graph: the storage driver')
  .option('--graphdriver-endpoint <endpoint>', 'graph: an initialised graphdriver (default: one in memory)')
  .option('--root-path <dir>', 'execdriver: a root filesystem with sh and a few commands (default: made of busybox)')
  .option('--runtime <name>', 'execdriver: the OCI runtime')
  .option('--bip <cidr>', 'network: address of the default bridge, a /28 (default: 10.213.77.1/28)')
  .option('--bridge-name <name>', 'network: name of the default bridge (default: lsconf0)')
  .addHelpText(
    'after',
    `
Each test's title is a sentence of the contract; see proto/longshore/<subsystem>/v1.

Examples:
  A layer store of your own, on this host:
    node conformance/run.ts graphdriver --endpoint unix:///run/mine/graphdriver.sock --local --data-root /var/lib/mine
  A volume service that a supervisor starts again:
    node conformance/run.ts volume --endpoint unix:///run/mine/volume.sock --restart-command 'systemctl restart mine-volume'
  Some sentences only:
    node --test-name-pattern='request id' conformance/run.ts network --endpoint dns:///127.0.0.1:7004
`,
  )
  .action(async (subsystem: Subsystem, flags: Flags) => {
    const { endpoint, local, restartCommand } = flags;
    const restart =
      restartCommand === undefined ? undefined : async () => void execSync(restartCommand, { stdio: 'inherit' });
    await prove[subsystem]({ endpoint, ...given({ isLocal: local, restart }) }, flags);
  });

command.parseAsync().catch((error: unknown) => {
  process.stderr.write(`conformance: ${messageOf(error)}\n`);
  process.exitCode = 1;
});

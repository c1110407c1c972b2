import { once } from 'node:events';
import { Command, Option } from 'commander';
import { messageOf } from '../kit/errors.ts';
import { createLogger, type LogLevel, logLevels } from '../kit/log.ts';
import { fakeRoles, startFakeServices } from './engine.ts';

/** The five services in memory, by hand: for authors of gRPC clients, and to try the contracts without root. */
async function main(): Promise<void> {
  const command = new Command('node fakes/main.ts')
    .description(
      'Runs graph, graphdriver, execdriver, volume and network in memory: the real contracts, no root, no kernel.\n' +
        'Containers run true, false, echo, sleep, cat and a small sh; an image busybox:latest is there after Init.',
    )
    .requiredOption('--exec-root <dir>', 'where the sockets are made: <dir>/<role>.sock')
    .option('--data-root <dir>', 'the data root to tell of; nothing is written there (default: <exec root>/data)')
    .addOption(new Option('--log-level <level>', 'the least to log').choices(logLevels).default('info'))
    .addHelpText(
      'after',
      `
Examples:
  Beside a client under test:
    node fakes/main.ts --exec-root /tmp/fakes --log-level debug
  Under a coordinator, which then needs no services of its own:
    longshore daemon ${fakeRoles.map((role) => `--${role}-endpoint unix:///tmp/fakes/${role}.sock`).join(' ')}
  What a service offers, by reflection:
    grpcurl -plaintext -unix /tmp/fakes/volume.sock list
`,
    );
  command.parse();
  const given = command.opts<{ execRoot: string; dataRoot?: string; logLevel: LogLevel }>();
  const log = createLogger({ role: 'fakes', level: given.logLevel });
  const services = await startFakeServices({
    dir: given.execRoot,
    log,
    images: [{ tags: ['busybox:latest'], config: { Cmd: ['sh'] }, layers: [[{ name: 'bin/' }, { name: 'bin/sh' }]] }],
    ...(given.dataRoot !== undefined && { dataRoot: given.dataRoot }),
  });
  for (const role of fakeRoles) log.info(`${role} answers at ${services.endpoints[role]}`);
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  await services.stop();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`fakes: ${messageOf(error)}\n`);
    process.exit(1);
  },
);

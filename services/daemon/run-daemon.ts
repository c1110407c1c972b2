import { once } from 'node:events';
import { release } from 'node:os';
import { messageOf } from '../../kit/errors.ts';
import { createLogger } from '../../kit/log.ts';
import { bootWatch, controlService } from './boot-service.ts';
import { type Config, resolveConfig } from './config.ts';
import { failpoint } from './failpoint.ts';
import { daemonCommand, type Flags } from './flags.ts';
import { Boot, type BootListener } from './newdaemon/boot.ts';
import { checkConfiguration } from './newdaemon/check-configuration.ts';
import type { Host } from './newdaemon/host.ts';
import { newDaemon } from './newdaemon/index.ts';
import { reloadOnSignal } from './reload-on-signal.ts';
import { remapped } from './remapped-root.ts';
import type { Launcher } from './supervisor/launcher.ts';
import { bootLines, welcome } from './terminal.ts';

type MakeLauncher = (config: Config, log: Host['log']) => Launcher;

// Who read the output may go away; the engine goes on.
process.stderr.on('error', () => {});

const say = (line: string) => process.stderr.write(`${line}\n`);

/** The coordinator's life as a process: flags, boot, SIGTERM or SIGINT, shutdown. Exit codes: 0, or 1 with one line why. */
export async function runDaemon(makeLauncher: MakeLauncher): Promise<void> {
  const command = daemonCommand();
  command.parse(process.argv.slice(2), { from: 'user' });
  let config: Config;
  try {
    config = resolveConfig(command.opts<Flags>(), process.env);
  } catch (error) {
    return fail(messageOf(error));
  }
  if (command.opts<Flags>().validate) return validate(config);
  const asRead = config;
  try {
    // A copy, which reloads change.
    config = { ...remapped(config) };
  } catch (error) {
    return fail(messageOf(error));
  }

  const asked = askedToEnd();
  const log = createLogger({ role: 'daemon', level: config.logLevel, format: config.logFormat });
  const read = () => resolveConfig(command.opts<Flags>(), process.env);
  const reloads = reloadOnSignal({ config, asRead, read, log });
  const watch = bootWatch();
  const shown: BootListener =
    config.logFormat === 'json' ? { report: (step) => log.info({ ...step }, 'boot step') } : bootLines(say);
  const begun = process.hrtime.bigint();
  const took = () => process.hrtime.bigint() - begun;
  let bootDurationNs: bigint | undefined;
  const boot = new Boot([watch, shown, failpoint(process.env)], () =>
    asked.signal.aborted ? new Error('asked to end') : undefined,
  );
  const host: Host = {
    config,
    log,
    machine: {
      platform: process.platform,
      architecture: process.arch,
      kernelRelease: release(),
      effectiveUser: process.geteuid?.(),
    },
    launcher: makeLauncher(config, log),
    control: controlService(watch, () => asked.end()),
    bootDurationNs: () => bootDurationNs ?? took(),
  };
  try {
    reloads.begin(await newDaemon(host, boot));
  } catch (error) {
    watch.finish('failed', took());
    log.debug({ err: error }, 'boot failed');
    return asked.signal.aborted ? process.exit(0) : fail(messageOf(error));
  }
  bootDurationNs = took();
  watch.finish('done', bootDurationNs);
  if (config.logFormat === 'text') {
    say(welcome(config.hosts[0] ?? '', Math.round(process.uptime() * 1000), config.liveRestore));
  }

  if (!asked.signal.aborted) await once(asked.signal, 'abort');
  say('Ending…');
  const problems = await boot.undo();
  for (const problem of problems) say(`longshore: could not be undone: ${problem}`);
  process.exit(problems.length === 0 ? 0 : 1);
}

/** Flags and file are well-formed by now; what is left are their conflicts. */
async function validate(config: Config): Promise<never> {
  try {
    await new Boot([]).run(checkConfiguration(config));
  } catch (error) {
    return fail(messageOf(error));
  }
  say('The configuration is valid.');
  return process.exit(0);
}

function fail(message: string): never {
  say(`longshore: ${message}`);
  process.exit(1);
}

/** The first signal asks; the fourth ends at once, as dockerd has it: 128 + the signal's number. */
function askedToEnd(): { signal: AbortSignal; end(): void } {
  const asked = new AbortController();
  let times = 0;
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.on(signal, () => {
      times += 1;
      if (times > 3) process.exit(128 + number);
      asked.abort();
    });
  }
  return { signal: asked.signal, end: () => asked.abort() };
}

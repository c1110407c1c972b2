import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { Config } from './config.ts';
import { Boot } from './newdaemon/boot.ts';
import type { Daemon } from './newdaemon/build-daemon.ts';
import { checkConfiguration } from './newdaemon/check-configuration.ts';
import { keyOf, reload } from './reload.ts';

export interface Reloads {
  /** The engine is up: what was asked for meanwhile is done now. */
  begin(daemon: Daemon): void;
}

/**
 * SIGHUP reads the configuration file again. A closed terminal sends it too, and needs no telling apart: the file is most
 * likely as it was, and then nothing changes; the engine goes on in any case.
 */
export function reloadOnSignal(parts: { config: Config; asRead: Config; read(): Config; log: Logger }): Reloads {
  const { config, read, log } = parts;
  const up = Promise.withResolvers<Daemon>();
  let present = parts.asRead;
  let last: Promise<void> = Promise.resolve();

  async function once(daemon: Daemon): Promise<void> {
    try {
      const next = read();
      await new Boot([]).run(checkConfiguration(next));
      const { reloaded, needRestart } = await reload(daemon, config, present, next);
      const shown = Object.fromEntries(reloaded.map((name) => [keyOf(name), next[name]]));
      if (reloaded.length > 0) log.info(shown, 'configuration reloaded');
      if (needRestart.length > 0) log.warn(`needs a restart of the engine to take effect: ${needRestart.join(', ')}`);
      if (reloaded.length + needRestart.length === 0) log.info('configuration reloaded: nothing has changed');
      // What waits for a restart is told each time.
      present = { ...present, ...Object.fromEntries(reloaded.map((name) => [name, next[name]])) };
    } catch (error) {
      log.error(`the configuration is not reloaded, all stays as it was: ${messageOf(error)}`);
    }
  }

  process.on('SIGHUP', () => {
    last = last.then(async () => once(await up.promise));
  });
  return { begin: up.resolve };
}

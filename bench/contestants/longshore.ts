import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { placeEngine } from '../../integration-tests/engine.ts';
import { answersPing, openApi } from '../client/api.ts';
import { removeAll } from '../client/container.ts';
import { removeFolder } from '../host/leftovers.ts';
import { mountRunFolder } from '../host/run-folder.ts';
import type { Contestant } from './contestant.ts';
import { dockerCommand } from './docker-command.ts';

/** Longshore as its users start it: seven processes, or one with `--embedded`. */
export async function placeLongshore(name: 'longshore' | 'embedded'): Promise<Contestant> {
  const engine = await placeEngine({ flags: name === 'embedded' ? ['--embedded'] : [] });
  const folder = dirname(engine.dataRoot);
  mountRunFolder(engine.execRoot);
  const socket = engine.host.replace('unix://', '');
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  const api = openApi(socket);
  let isStarted = false;

  const contestant: Contestant = {
    name,
    title: `Longshore ${version}`,
    socket,
    command: dockerCommand(socket, join(folder, 'docker-config')),
    api,
    folder,
    output: engine.output,
    async start() {
      const patience = new AbortController();
      const begun = performance.now();
      isStarted = true;
      const answers = answersPing(socket, patience.signal).then(() => performance.now() - begun);
      answers.catch(() => {});
      try {
        await engine.start();
      } catch (error) {
        patience.abort();
        throw error;
      }
      return await answers;
    },
    async stop() {
      api.close();
      if (isStarted) await engine.stop();
      isStarted = false;
    },
    async dispose() {
      // With its default live restore, containers would outlive the engine.
      if (isStarted) await removeAll(api).catch(() => {});
      await contestant.stop();
      await removeFolder(folder);
    },
  };
  return contestant;
}

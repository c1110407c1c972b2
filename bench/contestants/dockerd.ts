import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApi } from '../client/api.ts';
import { removeAll } from '../client/container.ts';
import { removeCgroups, removeFolder } from '../host/leftovers.ts';
import { findProgram, versionOf } from '../host/programs.ts';
import { mountRunFolder } from '../host/run-folder.ts';
import { addBridge, planBridge, removeBridge } from './bridge.ts';
import type { Contestant } from './contestant.ts';
import { daemonProcess } from './daemon-process.ts';
import { dockerCommand } from './docker-command.ts';

/** dockerd with the containerd that it starts, and runc. Undefined when they are not installed. */
export function placeDockerd(): Contestant | undefined {
  const file = findProgram('dockerd');
  if (file === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'lsb-dockerd-'));
  const run = mountRunFolder(join(folder, 'run'));
  const socket = join(folder, 'docker.sock');
  const bridge = planBridge();
  addBridge(bridge);
  // Or it would read this host's.
  writeFileSync(join(folder, 'daemon.json'), '{}');
  const daemon = daemonProcess({
    file,
    args: [
      ...['--data-root', join(folder, 'data'), '--exec-root', run, '--pidfile', join(folder, 'pid')],
      ...['--host', `unix://${socket}`, '--bridge', bridge.name, '--config-file', join(folder, 'daemon.json')],
      ...['--storage-driver', 'overlay2', '--cgroup-parent', `/${bridge.name}`],
      // Neither systemd nor the right to protect itself from the OOM killer can be relied on.
      ...['--exec-opt', 'native.cgroupdriver=cgroupfs', '--oom-score-adjust', '0'],
    ],
    socket,
    log: join(folder, 'log'),
  });
  const api = openApi(socket);

  const contestant: Contestant = {
    name: 'dockerd',
    title: `dockerd ${versionOf('dockerd')}`,
    socket,
    command: dockerCommand(socket, join(folder, 'docker-config')),
    api,
    folder,
    output: daemon.output,
    start: daemon.start,
    async stop() {
      api.close();
      await daemon.stop();
    },
    async dispose() {
      await removeAll(api).catch(() => {});
      await contestant.stop();
      await removeFolder(folder);
      removeBridge(bridge);
      removeCgroups(bridge.name);
    },
  };
  return contestant;
}

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApi } from '../client/api.ts';
import { removeAll } from '../client/container.ts';
import { removeCgroups, removeFolder } from '../host/leftovers.ts';
import { findProgram, versionOf } from '../host/programs.ts';
import { mountRunFolder } from '../host/run-folder.ts';
import { type BridgePlan, planBridge, removeBridge } from './bridge.ts';
import type { Contestant } from './contestant.ts';
import { daemonProcess } from './daemon-process.ts';

/** Podman with crun, conmon and netavark; its API by `podman system service`. Undefined when it is not installed. */
export function placePodman(): Contestant | undefined {
  const file = findProgram('podman');
  if (file === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'lsb-podman-'));
  const socket = join(folder, 'podman.sock');
  const bridge = planBridge();
  const environment = configure(folder, bridge);
  const args = ['system', 'service', '--time', '0', `unix://${socket}`];
  const daemon = daemonProcess({ file, args, environment, socket, log: join(folder, 'log') });
  const api = openApi(socket);

  const contestant: Contestant = {
    name: 'podman',
    title: `Podman ${versionOf('podman')}`,
    socket,
    command: { file, environment },
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
      removeCgroups('libpod_parent');
    },
  };
  return contestant;
}

/** Writes configuration that keeps everything in the folder; answers the variables that point to it. */
function configure(folder: string, bridge: BridgePlan): Record<string, string> {
  const containers = join(folder, 'containers.conf');
  const storage = join(folder, 'storage.conf');
  const networks = join(folder, 'networks');
  const run = mountRunFolder(join(folder, 'run'));
  mkdirSync(networks);
  // Files instead of shared memory, which all Podmans of a host would share.
  // No `static_dir`: the clean-up process that conmon starts would not know of it.
  writeFileSync(
    containers,
    `[containers]
default_ulimits = ["nofile=${openFilesLimit()}:${openFilesLimit()}", "nproc=32768:32768"]
oom_score_adj = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "crun"
tmp_dir = "${run}/tmp"
volume_path = "${folder}/volumes"
[network]
network_backend = "netavark"
network_config_dir = "${networks}"
`,
  );
  writeFileSync(
    storage,
    `[storage]
driver = "overlay"
graphroot = "${folder}/data"
runroot = "${run}/containers"
`,
  );
  const network = {
    name: 'podman',
    id: randomBytes(32).toString('hex'),
    driver: 'bridge',
    network_interface: bridge.name,
    created: '2026-01-01T00:00:00Z',
    subnets: [{ subnet: bridge.subnet, gateway: bridge.gateway }],
    ipv6_enabled: false,
    internal: false,
    dns_enabled: false,
    ipam_options: { driver: 'host-local' },
  };
  writeFileSync(join(networks, 'podman.json'), JSON.stringify(network));
  return { CONTAINERS_CONF: containers, CONTAINERS_STORAGE_CONF: storage };
}

/** Of open files: containers can't get more where CAP_SYS_RESOURCE is missing. */
function openFilesLimit(): string {
  return execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
}

import { acceptConnections } from './accept-connections.ts';
import type { Boot } from './boot.ts';
import { buildDaemon, type Daemon } from './build-daemon.ts';
import { checkConfiguration } from './check-configuration.ts';
import { checkDns } from './check-dns.ts';
import { checkSelinux } from './check-selinux.ts';
import { checkSystem } from './check-system.ts';
import { claimPidfile } from './claim-pidfile.ts';
import type { Host } from './host.ts';
import { initNetworkDriver } from './init-network-driver.ts';
import { loadExecDriver } from './load-exec-driver.ts';
import { loadGraphDriver } from './load-graph-driver.ts';
import { lockRoots } from './lock-roots.ts';
import { makeDirectories } from './make-directories.ts';
import { migrateLayouts } from './migrate-layouts.ts';
import { openContainerRepository } from './open-container-repository.ts';
import { openImageGraph } from './open-image-graph.ts';
import { openLinks } from './open-link-graph.ts';
import { openVolumes } from './open-volumes.ts';
import { probeHost } from './probe-host.ts';
import { resolveMtu } from './resolve-mtu.ts';
import { restoreContainers } from './restore-containers.ts';
import { startServices } from './start-services.ts';

/**
 * Docker's NewDaemon, as calls to the subsystem services. A step that fails undoes the finished ones, last first; a
 * shutdown is the same undoing, later.
 */
export async function newDaemon(host: Host, boot: Boot): Promise<Daemon> {
  const { config } = host;

  await boot.run(checkConfiguration(config));
  const roots = await boot.run(lockRoots(config));
  await boot.run(claimPidfile(config));
  await boot.run(checkSystem(host.machine));
  await boot.run(makeDirectories(config));
  const services = await boot.run(startServices(host));
  const mtu = await boot.run(resolveMtu(config, services));
  const layers = await boot.run(loadGraphDriver(config, roots, services));
  await boot.run(checkSelinux(config, layers));
  const repository = await boot.run(openContainerRepository(config, roots));
  await boot.run(migrateLayouts(services));
  await boot.run(openImageGraph(config, roots, layers, services));
  const volumeDrivers = await boot.run(openVolumes(config, roots, services));
  const bridge = await boot.run(initNetworkDriver(config, roots, mtu, services));
  const links = await boot.run(openLinks(config));
  const kernel = await boot.run(probeHost(services));
  const runtime = await boot.run(loadExecDriver(config, roots, services));
  const daemon = await boot.run(
    buildDaemon({ host, roots, services, layers, repository, volumeDrivers, bridge, links, kernel, runtime }),
  );
  await boot.run(checkDns(config, services));
  await boot.run(restoreContainers(daemon));
  await boot.run(acceptConnections(config, services));
  return boot.keep(daemon);
}

import { capabilityNames } from '../../../kit/linux/capabilities.ts';
import type { ContainerConfig, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { ProbeResponse } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import { errors } from '../errors.ts';
import { confinementOf } from './security-options.ts';

const refuse = (field: string, problem: string) => errors.badConfig({ field, problem });

/** How a container is to be set apart from the host and from others. BAD_CONFIG, in Docker's words. */
export function checkIsolation(config: ContainerConfig, host: HostConfig, kernel: ProbeResponse): void {
  confinementOf(host);
  checkCapabilities('cap_add', 'CapAdd', host.capAdd, kernel.capabilities);
  // One that cannot be had is dropped already.
  checkCapabilities('cap_drop', 'CapDrop', host.capDrop, []);
  checkNamespaces(host);
  checkNetworkMode(config, host);
  checkSysctls(host);
  for (const rule of host.deviceCgroupRules) {
    if (!/^[abc] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(rule))
      throw refuse('device_cgroup_rules', `invalid device cgroup rule format: '${rule}'`);
  }
  for (const { cgroupPermissions } of host.devices) {
    if (!/^[rwm]{0,3}$/.test(cgroupPermissions)) throw refuse('devices', `invalid device mode: ${cgroupPermissions}`);
  }
}

const known: readonly string[] = capabilityNames;

/** `held`: what a container can have at most; empty: not known. */
function checkCapabilities(field: string, shown: string, names: readonly string[], held: readonly string[]): void {
  for (const each of names) {
    const name = each.toUpperCase();
    const full = name.startsWith('CAP_') ? name : `CAP_${name}`;
    if (name === 'ALL') continue;
    if (!known.includes(full)) throw refuse(field, `invalid ${shown}: unknown capability: "${full}"`);
    if (held.length === 0 || held.includes(full)) continue;
    const problem = 'capability not supported by your kernel or not available in the current environment';
    throw refuse(field, `invalid ${shown}: ${problem}: "${full}"`);
  }
}

const isContainer = (mode: string) => mode.startsWith('container:');

function checkNamespaces({ ipcMode, pidMode, utsMode, cgroupnsMode }: HostConfig): void {
  const isOne = (mode: string, ...modes: string[]) => mode === '' || modes.includes(mode);
  if (!isOne(ipcMode, 'none', 'private', 'host', 'shareable') && !isContainer(ipcMode))
    throw refuse('ipc_mode', `invalid IPC mode: ${ipcMode}`);
  if (!isOne(pidMode, 'host') && !/^container:./.test(pidMode))
    throw refuse('pid_mode', `invalid PID mode: ${pidMode}`);
  if (!isOne(utsMode, 'host')) throw refuse('uts_mode', `invalid UTS mode: ${utsMode}`);
  if (!isOne(cgroupnsMode, 'private', 'host'))
    throw refuse('cgroupns_mode', `invalid cgroup namespace mode: ${cgroupnsMode}`);
}

function checkNetworkMode(config: ContainerConfig, host: HostConfig): void {
  const { networkMode } = host;
  const conflict = (problem: string) => refuse('network_mode', `conflicting options: ${problem}`);
  if (host.utsMode === 'host' && config.hostname !== '') throw conflict('hostname and the UTS mode');
  const undefinedBehaviour = "can't be used with links. This would result in undefined behavior";
  if (networkMode === 'host' && host.links.length > 0) throw conflict(`host type networking ${undefinedBehaviour}`);
  if (networkMode !== 'container' && !isContainer(networkMode)) return;
  if (networkMode === 'container' || networkMode === 'container:') {
    throw refuse('network_mode', 'invalid network mode: invalid container format container:<name|id>');
  }
  if (config.hostname !== '') throw conflict('hostname and the network mode');
  if (host.links.length > 0) throw conflict(`container type network ${undefinedBehaviour}`);
  if (host.dns.length > 0) throw conflict('dns and the network mode');
  if (host.extraHosts.length > 0) throw conflict('custom host-to-IP mapping and the network mode');
  if (Object.keys(host.portBindings).length > 0 || host.publishAllPorts)
    throw conflict('port publishing and the container type network mode');
  if (config.exposedPorts.length > 0) throw conflict('port exposing and the container type network mode');
}

/** What a user namespace cannot have. */
export function checkRemapped(host: HostConfig): void {
  if (host.usernsMode === 'host') return;
  if (host.privileged) {
    const advice = 'You must run the container in the host namespace when running privileged mode';
    throw refuse('privileged', `privileged mode is incompatible with user namespaces.  ${advice}`);
  }
  const cannot = (what: string) => `cannot share the host's ${what} namespace when user namespaces are enabled`;
  if (host.networkMode === 'host') throw refuse('network_mode', cannot('network'));
  if (host.pidMode === 'host') {
    throw refuse('pid_mode', 'cannot share the host PID namespace when user namespaces are enabled');
  }
}

/** What is accepted and has no effect. */
export function networkWarnings({ networkMode, portBindings }: HostConfig, kernel: ProbeResponse): string[] {
  const isHost = networkMode === 'host';
  const warnings: string[] = [];
  if (!kernel.ipv4Forwarding && !isHost && networkMode !== 'none' && kernel.kernelVersion !== '')
    warnings.push('IPv4 forwarding is disabled. Networking will not work.');
  if (isHost && Object.keys(portBindings).length > 0)
    warnings.push('Published ports are discarded when using host network mode');
  return warnings;
}

/** System V IPC's and POSIX queues' are each IPC namespace's own. */
const ofIpc = [
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
];

/** The kernel has most of them once for all: only those of a namespace that is the container's own may be set. */
function checkSysctls(host: HostConfig): void {
  for (const given of Object.keys(host.sysctls)) {
    const name = given.replaceAll('/', '.');
    const refused = (why: string) => refuse('sysctls', `sysctl ${JSON.stringify(given)} ${why}`);
    if (name.startsWith('net.')) {
      if (host.networkMode === 'host') throw refused('not allowed in host network namespace');
    } else if (ofIpc.includes(name) || name.startsWith('fs.mqueue.')) {
      if (host.ipcMode === 'host') throw refused('is not allowed in the hosts ipc namespace');
    } else if (name === 'kernel.domainname' || name === 'kernel.hostname') {
      if (name === 'kernel.hostname') throw refused('is not allowed as it conflicts with the OCI hostname field');
      if (host.utsMode === 'host') throw refused('is not allowed in the hosts uts namespace');
    } else {
      throw refused('is not in a separate kernel namespace');
    }
  }
}

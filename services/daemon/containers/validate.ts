import type { ContainerConfig, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { EngineFacts } from '../daemon.ts';
import { errors } from '../errors.ts';
import { logConfigOf } from '../logging/log-config.ts';
import { logProblem } from '../logging/options.ts';
import { parseLink } from './linked.ts';
import { isDefaultNetwork, parseExtraHost } from './network-plan.ts';
import { parsePort, planPorts } from './port-plan.ts';
import { signalNumber } from './signals.ts';
import { checkIsolation, checkRemapped } from './validate-isolation.ts';

const refuse = (field: string, problem: string) => errors.badConfig({ field, problem });

/** What of a container's configuration can be judged without any service. BAD_CONFIG and BAD_SIGNAL, in Docker's words. */
export function checkConfig(config: ContainerConfig, host: HostConfig, facts: EngineFacts): void {
  const { workingDir, stopSignal, stopTimeoutS, env, exposedPorts, hostname } = config;
  if (workingDir !== '' && !workingDir.startsWith('/')) {
    const problem = `the working directory '${workingDir}' is invalid, it needs to be an absolute path`;
    throw refuse('working_dir', problem);
  }
  for (const entry of env) {
    if (entry === '' || entry.startsWith('=')) throw refuse('env', `invalid environment variable: ${entry}`);
    if (entry.includes('\0')) throw refuse('env', 'invalid environment variable: it contains a NUL byte');
  }
  // The kernel's HOST_NAME_MAX.
  if (Buffer.byteLength(hostname) > 64) {
    throw refuse('hostname', `hostname ${JSON.stringify(hostname)} is too long (maximum 64 bytes)`);
  }
  if (stopSignal !== '') signalNumber(stopSignal);
  if (stopTimeoutS !== undefined && stopTimeoutS < -1)
    throw refuse('stop_timeout_s', `invalid stop timeout: ${stopTimeoutS}`);
  for (const port of exposedPorts) parsePort(port);
  planPorts(host, exposedPorts);
  for (const entry of host.extraHosts) parseExtraHost(entry);
  for (const link of host.links) parseLink(link);
  checkIsolation(config, host, facts.host);
  if (facts.remapsUsers) checkRemapped(host);
  checkHealth(config);
  checkRestartPolicy(host);
  checkModes(host, facts);
  if (host.shmSize < 0) throw refuse('shm_size', 'SHM size can not be less than 0');
  const { oomScoreAdj } = host;
  if (oomScoreAdj !== undefined && (oomScoreAdj < -1000 || oomScoreAdj > 1000)) {
    throw refuse('oom_score_adj', `Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
}

function checkHealth({ healthcheck }: ContainerConfig): void {
  if (healthcheck === undefined) return;
  const spans = [
    ['Interval', healthcheck.intervalNs],
    ['Timeout', healthcheck.timeoutNs],
    ['StartPeriod', healthcheck.startPeriodNs],
    ['StartInterval', healthcheck.startIntervalNs],
  ] as const;
  for (const [name, ns] of spans) {
    if (ns !== 0n && ns < 1_000_000n) throw refuse('healthcheck', `${name} in Healthcheck cannot be less than 1ms`);
  }
  if (healthcheck.retries < 0) throw refuse('healthcheck', 'Retries in Healthcheck cannot be negative');
}

export function checkRestartPolicy({ restartPolicy, autoRemove }: HostConfig): void {
  const { name = '', maximumRetryCount = 0 } = restartPolicy ?? {};
  if (!['', 'no', 'always', 'unless-stopped', 'on-failure'].includes(name)) {
    const known = "use one of 'no', 'always', 'on-failure', or 'unless-stopped'";
    throw refuse('restart_policy', `invalid restart policy: unknown policy '${name}'; ${known}`);
  }
  if (name !== 'on-failure' && maximumRetryCount !== 0) {
    const problem = "invalid restart policy: maximum retry count can only be used with 'on-failure'";
    throw refuse('restart_policy', problem);
  }
  if (maximumRetryCount < 0) {
    throw refuse('restart_policy', 'invalid restart policy: maximum retry count cannot be negative');
  }
  if (autoRemove && name !== '' && name !== 'no') {
    throw refuse('auto_remove', "can't create 'AutoRemove' container with restart policy");
  }
}

function checkModes(host: HostConfig, facts: EngineFacts): void {
  const { networkMode, runtime } = host;
  if (host.links.length > 0 && !isDefaultNetwork(networkMode)) {
    throw refuse('links', 'conflicting options: links are only supported on the default bridge network');
  }
  const { runtimes, runtime: usual } = facts.defaults;
  if (runtime !== '' && runtime !== usual && !runtimes.includes(runtime)) {
    throw refuse('runtime', `unknown or invalid runtime name: ${runtime}`);
  }
  const log = logConfigOf(host, facts.defaults);
  const problem = logProblem(log.type, log.config);
  if (problem !== undefined) throw refuse('log_config', problem);
}

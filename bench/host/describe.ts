import { existsSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Report } from '../report/report.ts';
import { firstCgroupJoin } from './cgroup-join.ts';
import { versionOf } from './programs.ts';

const programs = ['docker', 'dockerd', 'containerd', 'runc', 'podman', 'netavark', 'conmon', 'crun'];

export async function describeHost(): Promise<Report['host']> {
  const versions = programs.flatMap((name) => {
    const version = versionOf(name);
    return version === undefined ? [] : [[name, version] as const];
  });
  const joinMs = await firstCgroupJoin().catch(() => undefined);
  const layout = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'cgroup v2' : 'cgroup v1';
  return {
    kernel: release(),
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 1024 / 1024),
    cgroups: joinMs === undefined ? layout : `${layout} (joined in ${joinMs.toFixed(1)} ms after a quiet while)`,
    programs: { node: process.versions.node, ...Object.fromEntries(versions) },
  };
}

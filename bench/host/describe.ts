import { existsSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Report } from '../report/report.ts';
import { versionOf } from './programs.ts';

const programs = ['docker', 'dockerd', 'containerd', 'runc', 'podman', 'netavark', 'conmon', 'crun'];

export function describeHost(): Report['host'] {
  const versions = programs.flatMap((name) => {
    const version = versionOf(name);
    return version === undefined ? [] : [[name, version] as const];
  });
  return {
    kernel: release(),
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 1024 / 1024),
    cgroups: existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'cgroup v2' : 'cgroup v1',
    programs: { node: process.versions.node, ...Object.fromEntries(versions) },
  };
}

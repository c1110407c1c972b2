import { defineErrors } from '../../../kit/errors.ts';

/** Why a boot step cannot be done, and what to do about it. */
export const errors = defineErrors('daemon', {
  rootUnusable: {
    code: 'FAILED_PRECONDITION',
    message: (m: { root: string; why: string }) => `cannot use ${m.root}: ${m.why}`,
  },
  rootInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { root: string; holder: string }) =>
      `another engine is running on ${m.root}${m.holder ? ` (${m.holder})` : ''}: stop it, or use another --data-root and --exec-root`,
  },
  pidfileInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { pid: number; pidfile: string }) =>
      `pid file found, ensure longshore is not running (pid ${m.pid}) or delete ${m.pidfile}`,
  },
  pidfileUnusable: {
    code: 'FAILED_PRECONDITION',
    message: (m: { pidfile: string; why: string }) => `cannot write the pid file ${m.pidfile}: ${m.why}`,
  },
  wrongSystem: {
    code: 'FAILED_PRECONDITION',
    message: (m: { os: string }) => `The engine is only supported on linux, this is ${m.os}`,
  },
  notRoot: {
    code: 'FAILED_PRECONDITION',
    message: () => 'The engine needs to be run as root: use sudo',
  },
  wrongArchitecture: {
    code: 'FAILED_PRECONDITION',
    message: (m: { architecture: string }) => `The engine runs on x64 and arm64, this is ${m.architecture}`,
  },
  selinuxWithBtrfs: {
    code: 'FAILED_PRECONDITION',
    message: () => 'SELinux is not supported with the BTRFS graph driver!',
  },
  gatewaySilent: {
    code: 'UNAVAILABLE',
    message: (m: { hosts: string }) => `the gateway did not open ${m.hosts} in time`,
  },
});

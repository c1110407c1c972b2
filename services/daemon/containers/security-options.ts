import type { HostConfig, StringList } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { ProbeResponse } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import type { Confinement } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import type { ContainerDefaults } from '../daemon.ts';
import { errors } from '../errors.ts';

type Usual = Pick<ContainerDefaults, 'noNewPrivileges' | 'seccompProfile'>;

const none: Usual = { noNewPrivileges: false, seccompProfile: { name: '', rules: '' } };

/** `--privileged`, `--cap-*` and `--security-opt` as the exec driver takes them; `usual`: what is so without. BAD_CONFIG. */
export function confinementOf(host: HostConfig, usual = none): Confinement {
  const confinement: Confinement = {
    privileged: host.privileged,
    capAdd: host.capAdd,
    capDrop: host.capDrop,
    noNewPrivileges: usual.noNewPrivileges,
    // Privileged containers have none but their own.
    seccomp: host.privileged ? '' : usual.seccompProfile.rules,
    apparmor: '',
    selinux: [],
    maskedPaths: host.maskedPaths,
    readonlyPaths: host.readonlyPaths,
  };
  for (const option of host.securityOpt) apply(confinement, option);
  return confinement;
}

/** Docker shows what the kernel's paths are when nothing was said of them; of a privileged container, none. */
export function withSystemPaths(
  host: HostConfig,
  usual: Pick<ProbeResponse, 'maskedPaths' | 'readonlyPaths'>,
): HostConfig {
  const { maskedPaths, readonlyPaths } = confinementOf(host);
  const shown = (asked: StringList | undefined, values: string[]) =>
    asked ?? (host.privileged ? undefined : { values });
  return {
    ...host,
    maskedPaths: shown(maskedPaths, usual.maskedPaths),
    readonlyPaths: shown(readonlyPaths, usual.readonlyPaths),
  };
}

function apply(confinement: Confinement, option: string): void {
  if (option === 'no-new-privileges') {
    confinement.noNewPrivileges = true;
    return;
  }
  if (option === 'disable') {
    confinement.selinux.push('disable');
    return;
  }
  // A colon is the separator of old.
  const [, key, value] = /^([^=:]+)[=:](.*)$/s.exec(option) ?? [];
  if (key === undefined || value === undefined) throw refused(1, option);
  switch (key) {
    case 'label':
      confinement.selinux.push(value);
      break;
    case 'apparmor':
      confinement.apparmor = value;
      break;
    case 'seccomp':
      confinement.seccomp = value;
      break;
    case 'no-new-privileges':
      if (!['true', 'false', '1', '0'].includes(value.toLowerCase())) throw refused(2, option);
      confinement.noNewPrivileges = value.toLowerCase() === 'true' || value === '1';
      break;
    case 'systempaths':
      if (value !== 'unconfined') throw refused(2, option);
      confinement.maskedPaths = { values: [] };
      confinement.readonlyPaths = { values: [] };
      break;
    default:
      throw refused(2, option);
  }
}

function refused(kind: 1 | 2, option: string) {
  return errors.badConfig({ field: 'security_opt', problem: `invalid --security-opt ${kind}: "${option}"` });
}

import type { Step } from './boot.ts';
import { errors } from './errors.ts';

/** The newest of the calls that the services rely on came with it: openat2 5.6, mount_setattr 5.12. */
const oldestKernel = [5, 12] as const;

/** What the engine is to run on. */
export interface Machine {
  /** Node's names: linux, x64 … */
  readonly platform: string;
  readonly architecture: string;
  /** As uname has it. */
  readonly kernelRelease: string;
  readonly effectiveUser: number | undefined;
}

export const checkSystem = (machine: Machine): Step<void> => ({
  name: 'check system',
  run(step) {
    if (machine.platform !== 'linux') throw errors.wrongSystem({ os: machine.platform });
    if (machine.effectiveUser !== 0) throw errors.notRoot();
    const { architecture, kernelRelease } = machine;
    if (architecture !== 'x64' && architecture !== 'arm64') throw errors.wrongArchitecture({ architecture });
    const [major = 0, minor = 0] = kernelRelease.split('.').map(Number);
    const old = major < oldestKernel[0] || (major === oldestKernel[0] && minor < oldestKernel[1]);
    step.say(
      old
        ? `linux ${kernelRelease}, which might be unstable: ${oldestKernel.join('.')} or newer is advised`
        : `linux ${kernelRelease}, ${architecture}`,
    );
  },
});

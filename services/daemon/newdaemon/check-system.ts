import { release } from 'node:os';
import type { Step } from './boot.ts';
import { errors } from './errors.ts';

/** The newest of the calls that the services rely on came with it: openat2 5.6, mount_setattr 5.12. */
const oldestKernel = [5, 12] as const;

export const checkSystem = (): Step<void> => ({
  name: 'check system',
  run(step) {
    if (process.platform !== 'linux') throw errors.wrongSystem({ os: process.platform });
    if (process.geteuid?.() !== 0) throw errors.notRoot();
    if (process.arch !== 'x64' && process.arch !== 'arm64')
      throw errors.wrongArchitecture({ architecture: process.arch });
    const [major = 0, minor = 0] = release().split('.').map(Number);
    const old = major < oldestKernel[0] || (major === oldestKernel[0] && minor < oldestKernel[1]);
    step.say(
      old
        ? `linux ${release()}, which might be unstable: ${oldestKernel.join('.')} or newer is advised`
        : `linux ${release()}, ${process.arch}`,
    );
  },
});

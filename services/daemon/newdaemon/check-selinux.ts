import { existsSync } from 'node:fs';
import type { Config } from '../config.ts';
import type { Step } from './boot.ts';
import { errors } from './errors.ts';
import type { LayerStore } from './load-graph-driver.ts';

export const checkSelinux = (config: Config, layers: LayerStore): Step<void> => ({
  name: 'check SELinux',
  run(step) {
    if (!config.selinux) return step.say('not enabled');
    if (layers.driver === 'btrfs') throw errors.selinuxWithBtrfs();
    step.say(existsSync('/sys/fs/selinux/enforce') ? 'enabled' : 'enabled, but this kernel has no SELinux: no labels');
  },
});

import type { Config } from '../config.ts';
import { errors } from '../config-errors.ts';
import type { Step } from './boot.ts';

/** The conflicts that the original looks for first, in its order and words, before anything is touched. */
export const checkConfiguration = (config: Config): Step<void> => ({
  name: 'check configuration',
  run(step) {
    if ((config.bridge !== undefined || config.disableNetwork) && config.bip !== undefined) throw errors.bridgeAndBip();
    if (!config.iptables && !config.icc) throw errors.iccWithoutIptables();
    if (config.disableNetwork) step.say('containers have no network: --bridge=none');
  },
});

import type { Logger } from '../../../kit/log.ts';
import type { ControlServiceImplementation } from '../../../proto/gen/longshore/daemon/v1/control.ts';
import type { Config } from '../config.ts';
import type { Launcher } from '../supervisor/launcher.ts';
import type { Machine } from './check-system.ts';

/** What the boot is given by the program it runs in. */
export interface Host {
  readonly config: Config;
  readonly log: Logger;
  readonly machine: Machine;
  /** Processes of their own, or this one. */
  readonly launcher: Launcher;
  readonly control: ControlServiceImplementation;
  /** From the program's start until now, or until the boot was over. */
  readonly bootDurationNs: () => bigint;
}

import type { ControlServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/control.ts';
import type { WireClient } from '../common/wire.ts';
import type { Layers } from './archives.ts';

/** The initialised implementation; to be asked for within a test. */
export type Current = () => {
  layers: Layers;
  control: WireClient<typeof ControlServiceDefinition>;
  /** Init as the next coordinator. */
  reinit(): Promise<unknown>;
};

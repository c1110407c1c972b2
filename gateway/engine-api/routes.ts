import type { Peers } from '../peers.ts';
import { containerRoutes } from './containers.ts';
import { execRoutes } from './execs.ts';
import { fileRoutes } from './files.ts';
import { imageRoutes } from './images.ts';
import { networkRoutes } from './networks.ts';
import { pluginRoutes } from './plugins.ts';
import type { Routes } from './router.ts';
import { systemRoutes } from './system.ts';
import { unservedRoutes } from './unserved.ts';
import { usageRoutes } from './usage.ts';
import { volumeRoutes } from './volumes.ts';

/** Docker's Engine API, in parts by who owns what they show. */
export function engineRoutes(peers: Peers): Routes {
  return {
    ...systemRoutes(peers),
    ...containerRoutes(peers),
    ...execRoutes(peers),
    ...usageRoutes(peers),
    ...fileRoutes(peers),
    ...imageRoutes(peers),
    ...volumeRoutes(peers),
    ...networkRoutes(peers),
    ...pluginRoutes,
    ...unservedRoutes(),
  };
}

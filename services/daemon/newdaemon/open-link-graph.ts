import { join } from 'node:path';
import type { Config } from '../config.ts';
import { type LinkGraph, openLinkGraph } from '../linkgraph/linkgraph.ts';
import type { Step } from './boot.ts';

export const openLinks = (config: Config): Step<LinkGraph> => ({
  name: 'open link graph',
  run(step) {
    const links = openLinkGraph(join(config.dataRoot, 'daemon', 'linkgraph.db'));
    step.defer(() => links.close());
    return links;
  },
});

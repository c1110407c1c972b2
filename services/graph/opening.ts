import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { detached } from '../../kit/rpc/call.ts';
import { errors } from './errors.ts';
import { createGarbage } from './garbage.ts';
import { type Graph, type Ground, reconcileLayers } from './graph.ts';
import type { Layers } from './layers.ts';
import { openHolders } from './records/holders.ts';
import { openImages } from './records/images.ts';
import { openTags } from './records/tags.ts';

/** What Init says. */
export interface Policy {
  driver: string;
  graphdriverEndpoint: string;
  /** A file in the data root that graphdriver sees, and what it saw there. */
  noncePath: string;
  nonce: string;
}

export interface Opened {
  phase: 'image graph' | 'tag store';
  /** Images, tags. */
  count: number;
}

/** The image store's doors: open between Init (or what is remembered of it) and Drain. */
export interface Opening {
  readonly isOpen: boolean;
  /** NOT_INITIALISED while closed. */
  graph(): Graph;
  /** Opens, or takes over a new policy while work goes on; says what is open as soon as it is. */
  open(policy: Policy): AsyncGenerator<Opened, void>;
  /** Opens at once by what is remembered; layers are looked at when graphdriver is there. */
  resume(policy: Policy): Promise<void>;
  close(): void;
}

export interface OpeningOptions {
  ground: Ground;
  dataRoot: string;
  dialLayers(endpoint: string, sharesDataRoot: boolean): Layers;
  onChange(isOpen: boolean): void;
}

interface Connection {
  endpoint: string;
  sharesDataRoot: boolean;
  layers: Layers;
}

export function createOpening(options: OpeningOptions): Opening {
  const { ground, dataRoot, onChange } = options;
  let current: Graph | undefined;
  let connection: Connection | undefined;
  let closing = new AbortController();

  const connect = async (policy: Policy): Promise<Layers> => {
    const endpoint = policy.graphdriverEndpoint;
    const sharesDataRoot = await seesNonce(dataRoot, policy);
    if (connection?.endpoint === endpoint && connection.sharesDataRoot === sharesDataRoot) return connection.layers;
    connection?.layers.close();
    connection = { endpoint, sharesDataRoot, layers: options.dialLayers(endpoint, sharesDataRoot) };
    return connection.layers;
  };
  /** Work goes on through a new Init, but not into another driver's images. */
  const leaveOther = (driver: string) => {
    if (current === undefined || current.driver === driver) return;
    closing.abort();
    closing = new AbortController();
    current = undefined;
  };
  const prepare = async (policy: Policy) => {
    const layers = await connect(policy);
    leaveOther(policy.driver);
    const images = current?.images ?? openImages(ground.records, policy.driver);
    return { images, layers, garbage: createGarbage({ ...ground, images, layers }) };
  };
  const complete = (policy: Policy, prepared: Awaited<ReturnType<typeof prepare>>): Graph => {
    current = {
      ...ground,
      ...prepared,
      driver: policy.driver,
      tags: openTags(ground.records, policy.driver),
      holders: openHolders(ground.records, policy.driver),
      closing: closing.signal,
    };
    onChange(true);
    return current;
  };

  return {
    get isOpen() {
      return current !== undefined;
    },
    graph() {
      if (current === undefined) throw errors.notInitialised();
      return current;
    },
    async *open(policy) {
      const prepared = await prepare(policy);
      await reconcileLayers({ ...ground, ...prepared });
      yield { phase: 'image graph', count: prepared.images.all().length };
      const { tags } = complete(policy, prepared);
      yield { phase: 'tag store', count: tags.count };
    },
    async resume(policy) {
      const graph = complete(policy, await prepare(policy));
      detached(() => void reconcileWhenPossible(graph));
    },
    close() {
      closing.abort();
      closing = new AbortController();
      current = undefined;
      connection?.layers.close();
      connection = undefined;
      onChange(false);
    },
  };
}

/** graphdriver may come later than we do, and has to be initialised as well. */
async function reconcileWhenPossible(graph: Graph): Promise<void> {
  for (let delay = 250; !graph.closing.aborted; delay = Math.min(delay * 2, 10_000)) {
    try {
      await reconcileLayers(graph);
      return;
    } catch (err) {
      graph.log.debug({ err }, 'layers cannot be looked at yet');
    }
    await wait(delay, undefined, { signal: graph.closing, ref: false }).catch(() => undefined);
  }
}

const longestNonce = 4096;

/** Whether graphdriver's data root is ours: then its file is here and holds what it says. */
async function seesNonce(dataRoot: string, { noncePath, nonce }: Policy): Promise<boolean> {
  const file = resolve(dataRoot, noncePath);
  if (nonce === '' || nonce.length > longestNonce || !file.startsWith(`${resolve(dataRoot)}/`)) return false;
  const found = await readFile(file, 'utf8').catch(() => undefined);
  return found?.trim() === nonce.trim();
}

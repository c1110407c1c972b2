import { join } from 'node:path';
import type { Logger } from '../kit/log.ts';
import { type FakeExecdriver, type FakeExecdriverOptions, startFakeExecdriver } from './execdriver.ts';
import type { FakeImage } from './graph/image-archive.ts';
import { type FakeGraph, startFakeGraph } from './graph.ts';
import { type FakeGraphdriver, startFakeGraphdriver } from './graphdriver.ts';
import { type FakeNetwork, type FakeNetworkOptions, startFakeNetwork } from './network.ts';
import { type FakeVolume, startFakeVolume } from './volume.ts';

export const fakeRoles = ['graph', 'graphdriver', 'execdriver', 'volume', 'network'] as const;

export type FakeRole = (typeof fakeRoles)[number];

export interface FakeServicesOptions {
  /** Where the sockets are: `<dir>/<role>.sock`, as under an exec root. */
  dir: string;
  /** What the services tell their data root is. */
  dataRoot?: string;
  log?: Logger;
  group?: string;
  bootId?: string;
  /** There from graph's first Init on. */
  images?: readonly FakeImage[];
  probe?: FakeExecdriverOptions['probe'];
  hostNetwork?: FakeNetworkOptions['host'];
}

/** The five services that a coordinator needs, in memory. */
export interface FakeServices {
  readonly execRoot: string;
  readonly graph: FakeGraph;
  readonly graphdriver: FakeGraphdriver;
  readonly execdriver: FakeExecdriver;
  readonly volume: FakeVolume;
  readonly network: FakeNetwork;
  /** Where each answers, as `--<role>-endpoint` takes it. */
  readonly endpoints: Readonly<Record<FakeRole, string>>;
  /** What any of them still holds, one line each. */
  leftovers(): string[];
  stop(): Promise<void>;
}

export async function startFakeServices(options: FakeServicesOptions): Promise<FakeServices> {
  const { dir, images, probe, hostNetwork, ...rest } = options;
  const at = (role: FakeRole) => ({
    dataRoot: join(dir, 'data'),
    ...rest,
    execRoot: dir,
    listen: `unix://${join(dir, `${role}.sock`)}`,
  });
  const [graph, graphdriver, execdriver, volume, network] = await Promise.all([
    startFakeGraph({ ...at('graph'), ...(images !== undefined && { images }) }),
    startFakeGraphdriver(at('graphdriver')),
    startFakeExecdriver({ ...at('execdriver'), ...(probe !== undefined && { probe }) }),
    startFakeVolume(at('volume')),
    startFakeNetwork({ ...at('network'), ...(hostNetwork !== undefined && { host: hostNetwork }) }),
  ]);
  const fakes = { graph, graphdriver, execdriver, volume, network };
  return {
    execRoot: dir,
    ...fakes,
    endpoints: {
      graph: graph.endpoint,
      graphdriver: graphdriver.endpoint,
      execdriver: execdriver.endpoint,
      volume: volume.endpoint,
      network: network.endpoint,
    },
    leftovers: () => fakeRoles.flatMap((role) => fakes[role].leftovers().map((line) => `${role}: ${line}`)),
    async stop() {
      await Promise.all(fakeRoles.map((role) => fakes[role].stop()));
    },
  };
}

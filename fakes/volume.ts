import {
  ControlServiceDefinition,
  type ControlServiceImplementation,
  InitRequest,
} from '../proto/gen/longshore/volume/v1/control.ts';
import { VolumeServiceDefinition } from '../proto/gen/longshore/volume/v1/volume.ts';
import { type Fake, type FakeOptions, type Life, type Opened, startFake } from './fake.ts';
import { openInit } from './init.ts';
import { volumeService } from './volume/volume-service.ts';
import { createVolumeStore, noVolumes, type VolumeMemory, type VolumeState } from './volume/volumes.ts';

export type VolumeMethod =
  | keyof (typeof ControlServiceDefinition)['methods']
  | keyof (typeof VolumeServiceDefinition)['methods'];

export type FakeVolume = Fake<VolumeMethod, VolumeState>;

/** Volumes in memory. Paths are given out, but nothing is there. */
export function startFakeVolume(options: FakeOptions): Promise<FakeVolume> {
  return startFake<VolumeMemory, VolumeState, VolumeMethod>({ role: 'volume', forget: noVolumes, open }, options);
}

function open(life: Life<VolumeMemory>): Opened<VolumeState> {
  const init = openInit(life, InitRequest);
  const store = createVolumeStore(life);
  const control: ControlServiceImplementation = {
    identify: init.identify,
    async init(request) {
      init.accept(request).remember();
      return { count: life.durable.volumes.size, drivers: ['local'] };
    },
    async drain({ keep }) {
      store.unmountAllBut(new Set(keep));
      init.forget();
      return { problems: [] };
    },
  };
  return {
    services: [
      life.service(ControlServiceDefinition, control, { serving: true }),
      life.service(VolumeServiceDefinition, volumeService(life, store, init.needed)),
    ],
    state: store.state,
    leftovers: store.leftovers,
  };
}

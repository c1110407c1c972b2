import { randomUUID } from 'node:crypto';
import {
  ControlServiceDefinition,
  type ControlServiceImplementation,
  InitRequest,
} from '../proto/gen/longshore/graphdriver/v1/control.ts';
import { LayerServiceDefinition } from '../proto/gen/longshore/graphdriver/v1/layer.ts';
import { type Fake, type FakeOptions, type Life, type Opened, startFake } from './fake.ts';
import { errors } from './graphdriver/errors.ts';
import { layerService } from './graphdriver/layer-service.ts';
import { createLayerStore, type LayerMemory, type LayerState, noLayers } from './graphdriver/layers.ts';
import { openInit } from './init.ts';

export type GraphdriverMethod =
  | keyof (typeof ControlServiceDefinition)['methods']
  | keyof (typeof LayerServiceDefinition)['methods'];

export type FakeGraphdriver = Fake<GraphdriverMethod, LayerState>;

/** Layers in memory. Paths of mounts are given out, but nothing is there. */
export function startFakeGraphdriver(options: FakeOptions): Promise<FakeGraphdriver> {
  return startFake<LayerMemory, LayerState, GraphdriverMethod>(
    { role: 'graphdriver', forget: noLayers, open },
    options,
  );
}

const known = ['overlay2', 'btrfs', 'vfs'];

function open(life: Life<LayerMemory>): Opened<LayerState> {
  const init = openInit(life, InitRequest);
  const store = createLayerStore(life);
  const nonce = randomUUID();
  const control: ControlServiceImplementation = {
    identify: init.identify,
    async init(request) {
      const accepted = init.accept(request);
      const before = life.durable.driver;
      const driver = request.driver || before || 'overlay2';
      if (!known.includes(driver)) throw errors.driverUnknown({ driver });
      life.durable.driver = driver;
      accepted.remember();
      return {
        driver,
        chosenBecause: request.driver !== '' ? 'named' : before === '' ? 'first that works here' : 'used before',
        passedOver: [],
        status: [{ name: 'Backing Filesystem', value: 'memory' }],
        noncePath: 'graphdriver/nonce',
        nonce,
      };
    },
    async migrate() {
      init.needed();
      return { moved: [] };
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
      life.service(LayerServiceDefinition, layerService(life, store, init.needed)),
    ],
    state: store.state,
    leftovers: store.leftovers,
  };
}

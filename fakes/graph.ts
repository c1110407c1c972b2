import {
  ControlServiceDefinition,
  type ControlServiceImplementation,
  InitPhase,
  InitRequest,
} from '../proto/gen/longshore/graph/v1/control.ts';
import { EventServiceDefinition } from '../proto/gen/longshore/graph/v1/event.ts';
import { type Image, ImageServiceDefinition } from '../proto/gen/longshore/graph/v1/image.ts';
import { watched } from './events.ts';
import { type Fake, type FakeOptions, type Life, type Opened, startFake } from './fake.ts';
import { type FakeImage, imageOf } from './graph/image-archive.ts';
import { imageService } from './graph/image-service.ts';
import { createImageStore, type ImageMemory, noImages } from './graph/images.ts';
import { createIntake } from './graph/intake.ts';
import { dialLayers, type LayerClient } from './graph/layer-client.ts';
import { imageMessage } from './graph/messages.ts';
import { openInit } from './init.ts';

export type GraphMethod =
  | keyof (typeof ControlServiceDefinition)['methods']
  | keyof (typeof EventServiceDefinition)['methods']
  | keyof (typeof ImageServiceDefinition)['methods'];

export interface GraphState {
  readonly images: ReadonlyMap<string, Image>;
  /** Takes an image in as LoadImages does; gives its id. */
  add(image: FakeImage): Promise<string>;
}

export type FakeGraph = Fake<GraphMethod, GraphState>;

export interface FakeGraphOptions extends FakeOptions {
  /** There from the first Init on. */
  images?: readonly FakeImage[];
}

/** Images in memory. Their layers are kept where Init says graphdriver is; nowhere, if it says nothing. */
export function startFakeGraph(options: FakeGraphOptions): Promise<FakeGraph> {
  return startFake<ImageMemory, GraphState, GraphMethod>(
    { role: 'graph', forget: noImages, open: (life) => open(life, options.images ?? []) },
    options,
  );
}

function open(life: Life<ImageMemory>, furniture: readonly FakeImage[]): Opened<GraphState> {
  const init = openInit(life, InitRequest);
  const store = createImageStore(life, () => init.policy?.driver ?? '');
  let layers: LayerClient | undefined;
  const connect = (endpoint: string) => {
    layers?.close();
    layers = endpoint === '' ? undefined : dialLayers(endpoint, life.log);
  };
  connect(init.policy?.graphdriverEndpoint ?? '');
  life.ended.addEventListener('abort', () => connect(''), { once: true });
  const intake = createIntake(store, () => layers);

  const control: ControlServiceImplementation = {
    identify: init.identify,
    async *init(request) {
      const accepted = init.accept(request);
      connect(request.graphdriverEndpoint);
      accepted.remember();
      if (!life.durable.isFurnished) {
        for (const image of furniture) await intake.add(imageOf(image));
        life.durable.isFurnished = true;
      }
      const images = store.all();
      yield { phase: InitPhase.INIT_PHASE_IMAGE_GRAPH, count: images.length };
      const tags = images.reduce((sum, image) => sum + image.tags.size, 0);
      yield { phase: InitPhase.INIT_PHASE_TAG_STORE, count: tags };
    },
    async drain() {
      connect('');
      init.forget();
      return {};
    },
  };
  return {
    services: [
      life.service(ControlServiceDefinition, control, { serving: true }),
      life.service(
        ImageServiceDefinition,
        imageService({ life, store, intake, layers: () => layers, needInit: init.needed }),
      ),
      life.service(EventServiceDefinition, {
        async *watchImages({ after }, { signal }) {
          init.needed();
          yield* watched(store.events, after, signal);
        },
      }),
    ],
    state: {
      get images() {
        return new Map(store.all().map((image) => [image.id, imageMessage(image, { withConfigBytes: true })]));
      },
      add: async (image) => (await intake.add(imageOf(image))).id,
    },
    leftovers: () =>
      store.all().flatMap((image) => [...image.holders].map((holder) => `image ${image.id} held by ${holder}`)),
  };
}

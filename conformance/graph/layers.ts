import { startFakeGraphdriver } from '../../fakes/graphdriver.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/control.ts';
import { connect } from '../common/wire.ts';

/** A graphdriver in memory, initialised: for an image store that is tested alone. */
async function startLayerStore(driver: string) {
  const fake = await startFakeGraphdriver({ listen: 'tcp://127.0.0.1:0' });
  const connection = connect(fake.endpoint);
  await connection.client(ControlServiceDefinition).init({ fence: { engineId: '0'.repeat(32), epoch: 1 }, driver });
  connection.close();
  return { fixture: { graphdriverEndpoint: fake.endpoint, driver }, fake };
}

/** Two layer stores of different drivers. */
export async function startLayers() {
  const [one, other] = [await startLayerStore('overlay2'), await startLayerStore('vfs')];
  return {
    fixtures: { ...one.fixture, other: other.fixture },
    /** What is left in them. */
    layers: () => [...one.fake.state.layers.keys(), ...other.fake.state.layers.keys()],
    async stop() {
      await one.fake.stop();
      await other.fake.stop();
    },
  };
}

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ControlServiceDefinition, InitPhase } from '../../proto/gen/longshore/graph/v1/control.ts';
import { EventServiceDefinition } from '../../proto/gen/longshore/graph/v1/event.ts';
import { ImageServiceDefinition } from '../../proto/gen/longshore/graph/v1/image.ts';
import type { Controlled } from '../common/control-suite.ts';
import type { Target } from '../common/session.ts';
import { subsystemSuite } from '../common/subsystem-suite.ts';
import { watchSuite } from '../common/watch-suite.ts';
import { holderSuite } from './holders.ts';
import { type Images, loadOne, newRepository, removeAll } from './images.ts';
import { intakeSuite } from './intake.ts';
import { lookupSuite } from './lookup.ts';
import { removalSuite } from './removal.ts';

export interface GraphTarget extends Target {
  /** An initialised graphdriver, for the layers, and its driver's name. */
  graphdriverEndpoint: string;
  driver: string;
  /** As graphdriver's Init gave them; empty: the two share no data root. */
  noncePath?: string;
  nonce?: string;
  /** One more graphdriver, with another driver. */
  other?: { graphdriverEndpoint: string; driver: string };
}

/** Proves an implementation of longshore.graph.v1. */
export function graphSuite(target: GraphTarget): void {
  const { graphdriverEndpoint, driver, noncePath = '', nonce = '' } = target;
  const policy = { graphdriverEndpoint, driver, noncePath, nonce };
  const controlled: Controlled = {
    role: 'graph',
    identify: (connection) => connection.client(ControlServiceDefinition).identify({}),
    init: (connection, fence) =>
      Array.fromAsync(connection.client(ControlServiceDefinition).init({ fence, ...policy })),
    drain: (connection) => connection.client(ControlServiceDefinition).drain({}),
    verb: (connection) => Array.fromAsync(connection.client(ImageServiceDefinition).listImages({})),
    afterInit: ['ImageService', 'EventService'],
    always: ['ControlService'],
  };
  subsystemSuite(target, controlled, (session) => {
    let images: Images;
    before(() => {
      images = session().connection.client(ImageServiceDefinition);
    });
    const current = () => images;

    describe('graph: opening', () => {
      test('Init opens the image graph, then the tag store, with a message as each is open', async () => {
        const image = await loadOne(images, { tags: [`${newRepository()}:1`] });
        const control = session().connection.client(ControlServiceDefinition);
        await control.drain({});
        const messages = await Array.fromAsync(control.init({ fence: session().newFence(), ...policy }));
        assert.deepEqual(
          messages.map(({ phase }) => phase),
          [InitPhase.INIT_PHASE_IMAGE_GRAPH, InitPhase.INIT_PHASE_TAG_STORE],
        );
        for (const { count } of messages) assert(count >= 1);
        await removeAll(images, image.id);
      });

      test("images of another driver's time are not shown", { skip: target.other === undefined }, async () => {
        const image = await loadOne(images);
        const control = session().connection.client(ControlServiceDefinition);
        await Array.fromAsync(control.init({ fence: session().newFence(), ...target.other }));
        assert.deepEqual(await Array.fromAsync(images.listImages({})), []);
        await controlled.init(session().connection, session().newFence());
        assert.equal((await images.getImage({ reference: image.id })).image?.id, image.id);
        await removeAll(images, image.id);
      });
    });

    intakeSuite(target, current);
    lookupSuite(current);
    holderSuite(current);
    removalSuite(current);

    watchSuite(target, {
      role: 'graph',
      watch: (request, options) => session().connection.client(EventServiceDefinition).watchImages(request, options),
      word: ({ action, imageId }) => `${action} ${imageId}`,
      async happen() {
        const [repository, { id }] = [newRepository(), await loadOne(images)];
        await images.tagImage({ source: id, repository });
        await images.removeImage({ reference: repository });
        return ['load', 'tag', 'untag', 'delete'].map((action) => `${action} ${id}`);
      },
    });
  });
}

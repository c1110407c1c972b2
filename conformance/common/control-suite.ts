import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { HealthDefinition } from 'nice-grpc-server-health';
import type { Fence, Identity } from '../../proto/gen/longshore/contract/v1/fence.ts';
import { reflectedServices } from './reflection.ts';
import type { Session, Target } from './session.ts';
import { type Connection, refused } from './wire.ts';

/** How one subsystem's ControlService is spoken to. */
export interface Controlled {
  role: string;
  identify(connection: Connection): Promise<{ identity?: Identity | undefined }>;
  init(connection: Connection, fence: Fence | undefined): Promise<unknown>;
  drain(connection: Connection): Promise<unknown>;
  /** Something that only an initialised implementation answers. */
  verb(connection: Connection): Promise<unknown>;
  /** Short names of the contracts that need Init, and of those that do not. */
  afterInit: readonly string[];
  always: readonly string[];
}

/** The sentences about the coordinator's side that all contracts share. Leaves the implementation initialised. */
export function controlSuite(target: Target, controlled: Controlled, current: () => Session): void {
  const { role, identify, init, drain, verb } = controlled;
  const fullName = (name: string) => `longshore.${role}.v1.${name}`;

  describe(`${role}: the coordinator's side`, () => {
    let session: Session;
    let connection: Connection;
    before(async () => {
      session = current();
      connection = session.connection;
      await drain(connection);
    });

    const health = async (service: string) => {
      const { status } = await connection.client(HealthDefinition).check({ service });
      return status === 1;
    };

    test('server reflection lists the services', async () => {
      const listed = await reflectedServices(connection);
      for (const name of [...controlled.always, ...controlled.afterInit]) assert(listed.includes(fullName(name)), name);
    });

    test('Identify answers before Init: its version, its pid and its roots', async () => {
      const { identity } = await identify(connection);
      assert(identity);
      assert.notEqual(identity.version, '');
      assert(identity.pid > 0);
      assert.match(identity.dataRoot, /^\//);
      assert.match(identity.execRoot, /^\//);
    });

    test('before Init and after Drain its health is: the process is up, its services are not initialised', async () => {
      assert.equal(await health(''), true);
      for (const name of controlled.always) assert.equal(await health(fullName(name)), true, name);
      for (const name of controlled.afterInit) assert.equal(await health(fullName(name)), false, name);
    });

    test('what needs Init is refused before it: FAILED_PRECONDITION', async () => {
      await refused(verb(connection), 'FAILED_PRECONDITION');
    });

    test('Init makes its services healthy and its verbs answer', async () => {
      await init(connection, session.fence());
      for (const name of controlled.afterInit) assert.equal(await health(fullName(name)), true, name);
      await verb(connection);
    });

    test('Identify tells the engine and the epoch of the last accepted Init', async () => {
      const { engineId, epoch } = session.newFence();
      await init(connection, session.fence());
      const { identity } = await identify(connection);
      assert.deepEqual([identity?.engineId, identity?.epoch], [engineId, epoch]);
    });

    test('repeating Init is harmless', async () => {
      await init(connection, session.fence());
      await init(connection, session.fence());
      await verb(connection);
    });

    test('Init without a fence is refused: INVALID_ARGUMENT', async () => {
      await refused(init(connection, undefined), 'INVALID_ARGUMENT');
    });

    test('a lower epoch than was seen is refused: FAILED_PRECONDITION, STALE_EPOCH', async () => {
      const old = session.fence();
      await init(connection, session.newFence());
      await refused(init(connection, old), 'FAILED_PRECONDITION', 'STALE_EPOCH');
      const { identity } = await identify(connection);
      assert.equal(identity?.epoch, session.fence().epoch);
    });

    test("another engine's Init is refused: FAILED_PRECONDITION, OTHER_ENGINE", async () => {
      const other = { ...session.newFence(), engineId: 'e'.repeat(32) };
      await refused(init(connection, other), 'FAILED_PRECONDITION', 'OTHER_ENGINE');
    });

    test('Init from another host or boot is refused: FAILED_PRECONDITION, OTHER_HOST', async () => {
      const elsewhere = { ...session.newFence(), bootId: '00000000-0000-4000-8000-00000000ffff' };
      await refused(init(connection, elsewhere), 'FAILED_PRECONDITION', 'OTHER_HOST');
    });

    test('a refused Init changes nothing: the engine goes on', async () => {
      await refused(init(connection, { ...session.fence(), engineId: 'e'.repeat(32) }), 'FAILED_PRECONDITION');
      await verb(connection);
    });

    test('Drain forgets Init, but not the engine and its epoch', async () => {
      await init(connection, session.newFence());
      await drain(connection);
      await refused(verb(connection), 'FAILED_PRECONDITION');
      const old = { ...session.fence(), epoch: session.fence().epoch - 1 };
      await refused(init(connection, old), 'FAILED_PRECONDITION', 'STALE_EPOCH');
      await init(connection, session.newFence());
    });

    test('Drain may be repeated', async () => {
      await drain(connection);
      await drain(connection);
      await init(connection, session.newFence());
    });

    test('after a restart it resumes by its last Init', { skip: target.restart === undefined }, async () => {
      await target.restart?.();
      await verb(connection);
      for (const name of controlled.afterInit) assert.equal(await health(fullName(name)), true, name);
      const { identity } = await identify(connection);
      assert.equal(identity?.epoch, session.fence().epoch);
    });
  });
}

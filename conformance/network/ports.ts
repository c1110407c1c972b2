import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { attached, type Current, newPort } from './current.ts';

interface PortWish {
  protocol?: string;
  hostIp?: string;
  hostPort?: number;
  hostPortEnd?: number;
}

/** Ports of the host that lead to sandboxes. */
export function portSuite(current: Current): void {
  const publish = async (wish: PortWish) => {
    const request = { ...attached(), ports: [{ protocol: 'tcp', containerPort: 80, ...wish }] };
    const creation = current().sandboxes.createSandbox(request);
    return { request, creation };
  };
  const published = async (wish: PortWish) => {
    const { request, creation } = await publish(wish);
    const { sandbox } = await creation;
    return { id: request.id, name: request.containerName, ports: sandbox?.ports ?? [] };
  };
  const remove = async (...ids: string[]) => {
    for (const id of ids) await current().sandboxes.removeSandbox({ id });
  };

  describe('network: published ports', () => {
    test('a port is published on the address and port asked for', async () => {
      const hostPort = newPort();
      const { id, ports } = await published({ hostIp: '127.0.0.1', hostPort });
      assert.deepEqual(ports, [{ protocol: 'tcp', containerPort: 80, hostIp: '127.0.0.1', hostPort }]);
      await remove(id);
    });

    test("without an address it is the engine's default binding address; without a port, a free one", async () => {
      const [one, two] = [await published({}), await published({})];
      assert.equal(one.ports[0]?.hostIp, '0.0.0.0');
      const numbers = [one, two].map(({ ports }) => ports[0]?.hostPort ?? 0);
      assert(numbers.every((port) => port >= 1024));
      assert.notEqual(numbers[0], numbers[1]);
      await remove(one.id, two.id);
    });

    test('a port that another sandbox has is ALREADY_EXISTS, PORT_TAKEN, and says who has it', async () => {
      const hostPort = newPort();
      const { id, name } = await published({ hostPort });
      const { request, creation } = await publish({ hostPort });
      const refusal = await refused(creation, 'ALREADY_EXISTS', 'PORT_TAKEN');
      assert.equal(refusal.metadata.holder, name.slice(1));
      await refused(current().sandboxes.getSandbox({ id: request.id }), 'NOT_FOUND', 'SANDBOX_NOT_FOUND');
      await remove(id);
      await remove((await published({ hostPort })).id);
    });

    test('a sandbox that failed has taken no address', async () => {
      const hostPort = newPort();
      const { id } = await published({ hostPort });
      const free = async () => {
        const request = attached();
        const { sandbox } = await current().sandboxes.createSandbox(request);
        await remove(request.id);
        return sandbox?.endpoints[0]?.ipv4Address;
      };
      for (let i = 0; i < 14; i += 1) {
        const { creation } = await publish({ hostPort });
        await refused(creation, 'ALREADY_EXISTS', 'PORT_TAKEN');
      }
      assert.notEqual(await free(), undefined);
      await remove(id);
    });

    test('the same port of another protocol or another address is another port', async () => {
      const hostPort = newPort();
      const one = await published({ hostIp: '127.0.0.1', hostPort });
      const two = await published({ hostIp: '127.0.0.1', hostPort, protocol: 'udp' });
      const three = await published({ hostIp: '127.0.0.2', hostPort });
      await remove(one.id, two.id, three.id);
    });

    test('of a range the first free one is taken; when none is left it is RESOURCE_EXHAUSTED, NO_PORT_LEFT', async () => {
      const hostPort = newPort();
      const range = { hostPort, hostPortEnd: hostPort + 1 };
      const [one, two] = [await published(range), await published(range)];
      assert.deepEqual(
        [one, two].map(({ ports }) => ports[0]?.hostPort),
        [hostPort, hostPort + 1],
      );
      const { creation } = await publish(range);
      await refused(creation, 'RESOURCE_EXHAUSTED', 'NO_PORT_LEFT');
      await remove(one.id, two.id);
    });

    test('what is no port, protocol or address is INVALID_ARGUMENT', async () => {
      const wrong: PortWish[] = [
        { protocol: 'icmp' },
        { hostPort: 70_000 },
        { hostPort: 3000, hostPortEnd: 2000 },
        { hostIp: 'here' },
      ];
      for (const wish of wrong) {
        const { creation } = await publish(wish);
        await refused(creation, 'INVALID_ARGUMENT');
      }
      const request = { ...attached(), id: newId(), ports: [{ protocol: 'tcp', containerPort: 0 }] };
      await refused(current().sandboxes.createSandbox(request), 'INVALID_ARGUMENT');
    });
  });
}

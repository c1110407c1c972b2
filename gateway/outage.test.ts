import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { WatchEventsRequest } from '../proto/gen/longshore/daemon/v1/event.ts';
import { id } from './testing/daemon.ts';
import { errors, type Owners, startEngine } from './testing/engine.ts';
import { begin } from './testing/http.ts';

const nowNs = () => BigInt(Date.now()) * 1_000_000n;

/** A daemon whose waits never end, and an exec driver that knows of one exit. */
function waits(exit: { code: number; timeNs: bigint } | undefined) {
  const conditions: unknown[] = [];
  const owners: Owners = {
    containers: {
      async *waitContainer({ condition }, { signal }) {
        conditions.push(condition);
        yield { event: { $case: 'standing', value: true } };
        if (conditions.length > 1) yield { event: { $case: 'exit', value: { code: 7 } } };
        await once(signal, 'abort');
      },
    },
    processes: {
      async *waitContainer() {
        if (exit === undefined) throw errors.containerNotFound({ container: id });
        yield { exit, generation: 1 };
      },
    },
  };
  return { owners, conditions };
}

async function exitOf(engine: Awaited<ReturnType<typeof startEngine>>, condition: string): Promise<number> {
  const response = await begin(engine.socket, `POST /containers/${id}/wait?condition=${condition}`);
  await engine.stop('daemon');
  const restarted = engine.restart('daemon');
  const body = Buffer.concat(await response.toArray()).toString();
  await restarted;
  return JSON.parse(body).StatusCode;
}

test('a wait outlasts the death of the daemon: the exit comes from the exec driver', async (t) => {
  const { owners } = waits({ code: 9, timeNs: nowNs() + 60_000_000_000n });
  assert.equal(await exitOf(await startEngine(t, owners), 'next-exit'), 9);
});

test('an exit of an earlier start is not taken for the one that is waited for', async (t) => {
  const { owners, conditions } = waits({ code: 9, timeNs: nowNs() - 60_000_000_000n });
  assert.equal(await exitOf(await startEngine(t, owners), 'next-exit'), 7);
  assert.equal(conditions.length, 2);
});

test('a wait for a container that was not started yet is asked anew', async (t) => {
  const { owners } = waits(undefined);
  assert.equal(await exitOf(await startEngine(t, owners), 'next-exit'), 7);
});

test('a container that was removed meanwhile keeps the exit code of its wait', async (t) => {
  const { owners } = waits({ code: 9, timeNs: nowNs() + 60_000_000_000n });
  let asked = 0;
  const engine = await startEngine(t, {
    ...owners,
    containers: {
      async *waitContainer(_, { signal }) {
        if (asked++ > 0) throw errors.containerNotFound({ container: id });
        yield { event: { $case: 'standing', value: true } };
        await once(signal, 'abort');
      },
    },
  });
  assert.equal(await exitOf(engine, 'removed'), 9);
});

test('events go on after the death of the daemon where they were', async (t) => {
  const asked: WatchEventsRequest[] = [];
  const again = Promise.withResolvers<void>();
  const engine = await startEngine(t, {
    events: {
      async *watchEvents(request, { signal }) {
        asked.push(request);
        yield { cursor: 0 };
        yield { cursor: request.after + 1, type: 'volume', action: `number ${request.after + 1}` };
        if (asked.length === 1) await once(signal, 'abort');
        else again.resolve();
      },
    },
  });
  const response = await begin(engine.socket, 'GET /events?since=5');
  await once(response, 'readable');
  await engine.stop('daemon');
  await engine.restart('daemon');
  await again.promise;
  const lines = Buffer.concat(await response.toArray())
    .toString()
    .trim()
    .split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).Action),
    ['number 1', 'number 2'],
  );
  assert.deepEqual(
    asked.map(({ after, sinceNs }) => [after, sinceNs]),
    [
      [0, 5_000_000_000n],
      [1, 0n],
    ],
  );
});

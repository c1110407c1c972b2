import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Metadata } from 'nice-grpc';
import { defineErrors } from '../errors.ts';
import { createLogger } from '../log.ts';
import { type Call, currentCall, derivedRequestId, detached, withCall } from './call.ts';
import { all, failure, pair as openPair, ways } from './pair.ts';

const errors = defineErrors('volume', {
  volumeNotFound: { code: 'NOT_FOUND', message: (m: { volume: string }) => `no such volume: ${m.volume}` },
});

for (const [how, options] of ways) {
  const pair: typeof openPair = (implementation, more) => openPair(implementation, { ...options(), ...more });

  describe(how, () => {
    test('a call and a stream are answered in full', async () => {
      await using it = await pair();
      assert.equal((await it.client.getVolume({ name: 'data' })).volume?.name, 'data');
      assert.deepEqual(
        (await all(it.client.listVolumes({}))).map((each) => each.volume?.name),
        ['a', 'b'],
      );
    });

    test('an error of the table reaches the caller with reason, code, metadata and message', async () => {
      await using it = await pair({
        async getVolume({ name }) {
          throw errors.volumeNotFound({ volume: name });
        },
        // biome-ignore lint/correctness/useYield: it fails before its first value
        async *listVolumes() {
          throw errors.volumeNotFound({ volume: 'listed' });
        },
      });
      const unary = await failure(it.client.getVolume({ name: 'größe' }));
      assert.deepEqual(
        { ...unary, message: unary.message, cause: undefined },
        {
          name: 'ServiceError',
          service: 'volume',
          reason: 'VOLUME_NOT_FOUND',
          code: 'NOT_FOUND',
          metadata: { volume: 'größe' },
          message: 'no such volume: größe',
          cause: undefined,
        },
      );
      const streamed = await failure(all(it.client.listVolumes({})));
      assert.equal(streamed.reason, 'VOLUME_NOT_FOUND');
    });

    test('a peer’s error passes through a service in between unchanged', async () => {
      await using owner = await pair({
        async getVolume({ name }) {
          throw errors.volumeNotFound({ volume: name });
        },
      });
      await using between = await pair({ getVolume: (request) => owner.client.getVolume(request) }, { role: 'daemon' });
      const error = await failure(between.client.getVolume({ name: 'x' }));
      assert.equal(error.reason, 'VOLUME_NOT_FOUND');
      assert.equal(error.service, 'volume');
    });

    test('an unknown error is INTERNAL, its stack is logged and does not cross the wire', async () => {
      const lines: string[] = [];
      const log = createLogger({ role: 'volume', format: 'json', write: (line) => lines.push(line) });
      await using it = await pair(
        {
          async getVolume() {
            throw new TypeError('x is not a function');
          },
        },
        { log },
      );
      const error = await failure(it.client.getVolume({ name: 'x' }));
      assert.equal(error.code, 'INTERNAL');
      assert.equal(error.message, 'internal error in volume: x is not a function');
      assert(!JSON.stringify([error.metadata, error.message]).includes('call.test.ts'));
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? '', /"level":"error".*call\.test\.ts/);
    });

    test('the call context names caller, request and trace, and is carried on by calls made in a handler', async () => {
      const seen: Call[] = [];
      const note = async () => {
        const call = currentCall();
        assert(call);
        seen.push(call);
        return {};
      };
      await using owner = await pair({ getVolume: note });
      await using between = await pair(
        {
          async getVolume(request) {
            await note();
            return owner.client.getVolume(request, {
              requestId: derivedRequestId(currentCall()?.requestId ?? '', 'get'),
            });
          },
        },
        { role: 'daemon' },
      );
      const trace = '0af7651916cd43dd8448eb211c80319c';
      const metadata = Metadata({ 'request-id': 'r1', traceparent: `00-${trace}-b7ad6b7169203331-01` });
      await between.client.getVolume({ name: 'x' }, { metadata, deadlineMs: 5000 });
      const [first, second] = seen;
      assert(first && second);
      assert.equal(first.requestId, 'r1');
      assert.equal(first.requestIdGiven, true);
      assert.equal(second.requestId, 'r1/get');
      assert.equal(second.caller, 'daemon');
      assert.equal(second.method, '/longshore.volume.v1.VolumeService/GetVolume');
      assert.equal(first.traceparent.split('-')[1], trace);
      assert.equal(second.traceparent.split('-')[1], trace);
      assert.notEqual(first.traceparent, second.traceparent);
      assert(second.deadline <= first.deadline + 5, `${second.deadline} is later than ${first.deadline}`);
      assert(second.ended);
    });

    test('calls without a request id get one each, even inside one request', async () => {
      const seen: string[] = [];
      await using it = await pair({
        async getVolume() {
          seen.push(currentCall()?.requestId ?? '');
          return {};
        },
      });
      await withCall({ requestId: 'parent' }, async () => {
        await it.client.getVolume({ name: 'x' });
        await it.client.getVolume({ name: 'x' });
      });
      assert.match(seen[0] ?? '', /^parent\/[0-9a-f]{12}$/);
      assert.notEqual(seen[0], seen[1]);
    });

    test('a stream’s handler keeps its call context at every step', async () => {
      await using it = await pair({
        async *listVolumes() {
          yield { volume: { name: currentCall()?.requestId ?? '' } };
          await delay(1);
          yield { volume: { name: currentCall()?.requestId ?? '' } };
        },
      });
      const names = (await all(it.client.listVolumes({}, { requestId: 'r2' }))).map((each) => each.volume?.name);
      assert.deepEqual(names, ['r2', 'r2']);
    });

    test('a deadline ends the call at both ends', async () => {
      const aborted = Promise.withResolvers<void>();
      await using it = await pair({
        async getVolume(_request, { signal }) {
          signal.addEventListener('abort', () => aborted.resolve());
          await aborted.promise;
          return {};
        },
      });
      const error = await failure(it.client.getVolume({ name: 'x' }, { deadlineMs: 50 }));
      assert.equal(error.code, 'DEADLINE_EXCEEDED');
      assert.match(error.message, /^volume at unix:.* did not answer GetVolume in time$/);
      await aborted.promise;
    });

    test('a call in a handler ends with the incoming call’s deadline; a detached one does not', async () => {
      await using it = await pair({
        async getVolume({ name }, { signal }) {
          await delay(name === 'slow' ? 300 : 0, undefined, { signal }).catch(() => undefined);
          return { volume: { name } };
        },
      });
      const call = { deadline: Date.now() + 60 };
      const error = await failure(withCall(call, () => it.client.getVolume({ name: 'slow' }, { deadlineMs: 20_000 })));
      assert.equal(error.code, 'DEADLINE_EXCEEDED');
      const answer = await withCall(call, () => detached(() => it.client.getVolume({ name: 'slow' })));
      assert.equal(answer.volume?.name, 'slow');
    });

    test('a caller that goes away aborts the handler’s signal', async () => {
      const aborted = Promise.withResolvers<void>();
      await using it = await pair({
        async *watchVolumes(_request, { signal }) {
          signal.addEventListener('abort', () => aborted.resolve());
          yield {};
          await aborted.promise;
        },
      });
      const gone = new AbortController();
      await assert.rejects(async () => {
        for await (const _ of it.client.watchVolumes({}, { signal: gone.signal })) gone.abort();
      }, /abort/i);
      await aborted.promise;
    });
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcome } from '../proto/gen/longshore/contract/v1/outcome.ts';
import {
  type CreateVolumeRequest,
  type ListVolumesRequest,
  type RemoveVolumeRequest,
  Volume,
} from '../proto/gen/longshore/volume/v1/volume.ts';
import { docker } from './testing/docker.ts';
import { startEngine } from './testing/engine.ts';
import { ask, askJson } from './testing/http.ts';

const volume = (name: string) =>
  Volume.fromPartial({
    name,
    driver: 'local',
    mountpoint: `/data/${name}/_data`,
    scope: 'local',
    createdAtNs: 1_700_000_000_000_000_000n,
  });

const json = (name: string) => ({
  CreatedAt: '2023-11-14T22:13:20Z',
  Driver: 'local',
  Labels: null,
  Mountpoint: `/data/${name}/_data`,
  Name: name,
  Options: null,
  Scope: 'local',
});

test('volumes are made, listed, shown and removed', async (t) => {
  let created: CreateVolumeRequest | undefined;
  let listed: ListVolumesRequest | undefined;
  let removed: RemoveVolumeRequest | undefined;
  const { socket } = await startEngine(t, {
    volumes: {
      async createVolume(request) {
        created = request;
        return { volume: volume(request.name) };
      },
      async *listVolumes(request) {
        listed = request;
        yield { volume: volume('a') };
      },
      getVolume: async ({ name }) => ({ volume: volume(name) }),
      async removeVolume(request) {
        removed = request;
        return { outcome: request.name === 'gone' ? Outcome.OUTCOME_ABSENT : Outcome.OUTCOME_DONE };
      },
    },
  });
  const made = await askJson(socket, 'POST /volumes/create', { Name: 'a', Labels: { l: '1' }, DriverOpts: { o: '2' } });
  assert.deepEqual(made, { status: 201, value: json('a') });
  assert.deepEqual(created && { ...created }, {
    name: 'a',
    driver: '',
    labels: { l: '1' },
    options: { o: '2' },
    anonymous: false,
  });
  await ask(socket, 'POST /volumes/create', {});
  assert.match(created?.name ?? '', /^[0-9a-f]{64}$/);
  assert.equal(created?.anonymous, true);

  const filters = encodeURIComponent('{"dangling":["true"],"label":["a=b","c"],"name":["x"]}');
  const { value } = await askJson(socket, `GET /volumes?filters=${filters}`);
  assert.deepEqual(value, { Volumes: [json('a')], Warnings: null });
  assert.deepEqual(listed && { ...listed }, { names: ['x'], labels: { a: 'b', c: '' }, drivers: [], dangling: true });
  assert.deepEqual((await askJson(socket, 'GET /volumes/a')).value, json('a'));

  assert.equal((await ask(socket, 'DELETE /volumes/a')).status, 204);
  assert.equal((await ask(socket, 'DELETE /volumes/gone')).status, 404);
  assert.equal((await ask(socket, 'DELETE /volumes/gone?force=1')).status, 204);
  assert.equal(removed?.force, true);
  const rows = await docker(socket, ['volume', 'ls', '--format', '{{.Driver}} {{.Name}}']);
  assert.equal(rows.stdout, 'local a\n', rows.stderr);
});

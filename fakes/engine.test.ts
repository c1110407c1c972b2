import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isServiceError } from '../kit/errors.ts';
import { silentLogger } from '../kit/log.ts';
import { dial } from '../kit/rpc/dial.ts';
import { checkHealth } from '../kit/rpc/health.ts';
import { Outcome } from '../proto/gen/longshore/contract/v1/outcome.ts';
import { ControlServiceDefinition as ExecdriverControl } from '../proto/gen/longshore/execdriver/v1/control.ts';
import { ProcessServiceDefinition, ProcessState } from '../proto/gen/longshore/execdriver/v1/process.ts';
import { StreamServiceDefinition } from '../proto/gen/longshore/execdriver/v1/stream.ts';
import { ControlServiceDefinition as GraphControl } from '../proto/gen/longshore/graph/v1/control.ts';
import { ImageServiceDefinition } from '../proto/gen/longshore/graph/v1/image.ts';
import { ControlServiceDefinition as GraphdriverControl } from '../proto/gen/longshore/graphdriver/v1/control.ts';
import { LayerServiceDefinition } from '../proto/gen/longshore/graphdriver/v1/layer.ts';
import { ControlServiceDefinition as VolumeControl } from '../proto/gen/longshore/volume/v1/control.ts';
import { VolumeServiceDefinition } from '../proto/gen/longshore/volume/v1/volume.ts';
import { startFakeServices } from './engine.ts';

const id = 'c'.repeat(64);
const writable = 'd'.repeat(64);
const fence = { engineId: '0'.repeat(32), epoch: 1, bootId: '' };
const image = { tags: ['busybox:latest'], layers: [[{ name: 'etc/' }, { name: 'etc/motd', body: 'hello' }]] };
const { OUTCOME_DONE, OUTCOME_ALREADY } = Outcome;

async function started(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), 'longshore-fakes-'));
  const services = await startFakeServices({ dir, images: [image] });
  const peer = (role: keyof typeof services.endpoints) => {
    const channel = dial(services.endpoints[role], { role: 'daemon', log: silentLogger() });
    t.after(() => channel.close());
    return channel;
  };
  t.after(async () => {
    await services.stop();
    await rm(dir, { recursive: true });
  });
  return { services, peer };
}

async function startedExecdriver(t: TestContext) {
  const { services, peer } = await started(t);
  const channel = peer('execdriver');
  await channel.client(ExecdriverControl).init({ fence });
  const processes = channel.client(ProcessServiceDefinition);
  const start = (args: string[], generation = 1) =>
    processes.startContainer({ id, generation, spec: { rootPath: '/', args, openStdin: true, stdinOnce: true } });
  const exit = async (generation = 0) => {
    const [answer] = await Array.fromAsync(processes.waitContainer({ id, generation }));
    return answer?.exit;
  };
  return { fake: services.execdriver, channel, processes, start, exit };
}

test('an image of the fakes is a layer that a container can be made on', async (t) => {
  const { services, peer } = await started(t);
  await peer('graphdriver').client(GraphdriverControl).init({ fence });
  const graph = peer('graph');
  const phases = graph
    .client(GraphControl)
    .init({ fence, driver: 'overlay2', graphdriverEndpoint: services.endpoints.graphdriver });
  assert.deepEqual(
    (await Array.fromAsync(phases)).map(({ count }) => count),
    [1, 1],
  );
  const found = await graph.client(ImageServiceDefinition).acquireImage({ reference: 'busybox', holder: id });
  const parent = found.image?.topLayer ?? '';
  const layers = peer('graphdriver').client(LayerServiceDefinition);
  assert.equal((await layers.createLayer({ id: writable, parent })).outcome, OUTCOME_DONE);
  assert.match((await layers.mountLayer({ id: writable, holder: id })).path, /^\//);
  services.graphdriver.state.write(writable, '/etc/motd', 'bye');
  assert.deepEqual(
    (await Array.fromAsync(layers.listChanges({ id: writable }))).map(({ path }) => path),
    ['/etc', '/etc/motd'],
  );
  assert.equal(services.leftovers().length, 3);
});

test('a container of the fakes writes, reads its input, and tells how it ended', async (t) => {
  const { fake, channel, start, exit } = await startedExecdriver(t);
  async function* frames() {
    yield { frame: { $case: 'open', value: { id, stdin: true, stdout: true } } } as const;
    yield { frame: { $case: 'stdin', value: Buffer.from('echo one\nexit 3\n') } } as const;
  }
  const attached = channel.client(StreamServiceDefinition).attach(frames());
  const first = await attached[Symbol.asyncIterator]().next();
  assert.equal(first.value?.frame?.$case, 'ready');
  await start(['sh']);
  const rest = await Array.fromAsync(attached);
  assert.deepEqual(
    rest.map(({ frame }) => frame?.$case),
    ['stdout', 'exit'],
  );
  assert.equal((await exit())?.code, 3);
  assert.equal(fake.state.output(id), 'one\n');
});

test('a test makes a container end, of itself or by the kernel', async (t) => {
  const { fake, processes, start, exit } = await startedExecdriver(t);
  await start(['sleep', 'infinity']);
  fake.state.exit(id, 5);
  assert.equal((await exit())?.code, 5);
  await start(['sleep', 'infinity'], 2);
  fake.state.oom(id);
  assert.deepEqual(await exit(2).then((fact) => [fact?.code, fact?.oomKilled]), [137, true]);
  assert.deepEqual(fake.leftovers(), [`dead container ${id}`]);
  await processes.removeContainer({ id });
  assert.deepEqual(fake.leftovers(), []);
});

test('containers outlive a crash of the fake; another boot ends them without a known code', async (t) => {
  const { fake, processes, start, exit } = await startedExecdriver(t);
  await start(['sleep', 'infinity']);
  const held = fake.calls.hold('waitContainer');
  const waiting = assert.rejects(exit(), (error) => isServiceError(error, 'SERVICE_UNAVAILABLE'));
  await held.reached;
  held.release();
  await fake.crash();
  await waiting;
  await fake.restart();
  assert.equal((await processes.getContainer({ id })).process?.state, ProcessState.PROCESS_STATE_RUNNING);
  await fake.restart({ bootId: 'another' });
  assert.equal((await processes.getContainer({ id })).process?.exit?.unknown, true);
});

test('a call fails, waits or loses its answer as a test asks', async (t) => {
  const { services, peer } = await started(t);
  const { volume } = services;
  const channel = peer('volume');
  await channel.client(VolumeControl).init({ fence });
  const volumes = channel.client(VolumeServiceDefinition);

  volume.calls.fail('createVolume', { reason: 'VOLUME_EXISTS', code: 'ALREADY_EXISTS' });
  await assert.rejects(volumes.createVolume({ name: 'data' }), (error) => isServiceError(error, 'VOLUME_EXISTS'));
  assert.equal(volume.state.volumes.size, 0);

  volume.calls.dropAnswer('createVolume');
  await assert.rejects(volumes.createVolume({ name: 'data' }), (error) => isServiceError(error, 'SERVICE_UNAVAILABLE'));
  assert.equal((await volumes.createVolume({ name: 'data' })).outcome, OUTCOME_ALREADY);

  const held = volume.calls.hold('removeVolume');
  const removal = volumes.removeVolume({ name: 'data' });
  await held.reached;
  assert.equal(volume.state.volumes.size, 1);
  held.release();
  assert.equal((await removal).outcome, OUTCOME_DONE);

  const cut = volume.calls.hold('createVolume');
  const creation = assert.rejects(volumes.createVolume({ name: 'data' }), (error) =>
    isServiceError(error, 'SERVICE_UNAVAILABLE'),
  );
  await cut.reached;
  await volume.crash();
  await creation;
  await volume.restart();
  cut.release();
  assert.equal(volume.state.volumes.size, 0);
  assert.equal(volume.calls.seen.filter(({ method }) => method === 'createVolume').length, 4);
});

test('a restart resumes by the last Init; one without memory knows nothing', async (t) => {
  const { services, peer } = await started(t);
  const channel = peer('volume');
  const health = () => checkHealth(channel, VolumeServiceDefinition.fullName, 2000);
  assert.equal(await health(), 'NOT_SERVING');
  await channel.client(VolumeControl).init({ fence });
  await services.volume.restart();
  assert.equal(await health(), 'SERVING');
  await services.volume.restart({ memory: false });
  assert.equal(await health(), 'NOT_SERVING');
  assert.equal((await channel.client(VolumeControl).identify({})).identity?.engineId, '');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { VolumeServiceDefinition } from '../../proto/gen/longshore/volume/v1/volume.ts';
import { silentLogger } from '../log.ts';
import { dial } from './dial.ts';
import { reflectionServices } from './reflection.ts';
import { serve, service } from './serve.ts';

const { getVolume } = VolumeServiceDefinition.methods;
const contract = { ...VolumeServiceDefinition, methods: { getVolume } } as const;

/** All length-delimited fields with this number. */
function parts(message: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted) found.push(reader.bytes());
    else reader.skip(wireType);
  }
  return found;
}

const texts = (messages: Uint8Array[], field: number) =>
  messages.flatMap((message) => parts(message, field)).map((bytes) => Buffer.from(bytes).toString());

function request(field: number, value: string): Uint8Array {
  return new BinaryWriter()
    .uint32((field << 3) | 2)
    .string(value)
    .finish();
}

async function ask(requests: Uint8Array[], version = 0): Promise<Uint8Array[]> {
  const log = silentLogger();
  const served = await serve({
    role: 'volume',
    listen: ['tcp://127.0.0.1:0'],
    log,
    services: [service(contract, { getVolume: async () => ({}) })],
  });
  const channel = dial(served.endpoints[0] ?? '', { role: 'client', log });
  try {
    const reflection = reflectionServices([])[version];
    assert(reflection);
    const answers: Uint8Array[] = [];
    async function* sent() {
      yield* requests;
    }
    for await (const each of channel.client(reflection.definition).serverReflectionInfo(sent())) answers.push(each);
    return answers;
  } finally {
    channel.close();
    await served.stop();
  }
}

test('reflection lists the services, in both of its versions', async () => {
  for (const version of [0, 1]) {
    const [answer = new Uint8Array()] = await ask([request(7, '*')], version);
    const services = parts(answer, 6).flatMap((list) => parts(list, 1));
    assert.deepEqual(texts(services, 1), ['longshore.volume.v1.VolumeService']);
    assert.deepEqual(
      parts(answer, 2).map((bytes) => Buffer.from(bytes)),
      [Buffer.from(request(7, '*'))],
    );
  }
});

test('a symbol’s file comes with everything it imports', async () => {
  const symbols = [
    'longshore.volume.v1.VolumeService',
    'longshore.volume.v1.VolumeService.GetVolume',
    'longshore.volume.v1.Volume',
    'longshore.volume.v1.Volume.name',
  ];
  const answers = await ask(symbols.map((symbol) => request(4, symbol)));
  assert.equal(answers.length, symbols.length);
  for (const answer of answers) {
    const names = texts(
      parts(answer, 4).flatMap((files) => parts(files, 1)),
      1,
    );
    assert.equal(names[0], 'longshore/volume/v1/volume.proto');
    assert(names.includes('longshore/contract/v1/access.proto'));
    assert(names.includes('google/protobuf/descriptor.proto'));
    assert.equal(new Set(names).size, names.length);
  }
});

test('files are found by name and extensions by number', async () => {
  const extension = new BinaryWriter()
    .uint32((5 << 3) | 2)
    .fork()
    .uint32((1 << 3) | 2)
    .string('google.protobuf.MethodOptions')
    .uint32(2 << 3)
    .int32(50301)
    .join()
    .finish();
  for (const answer of await ask([request(3, 'longshore/contract/v1/access.proto'), extension])) {
    const files = parts(answer, 4).flatMap((each) => parts(each, 1));
    assert.equal(texts(files.slice(0, 1), 1)[0], 'longshore/contract/v1/access.proto');
  }
});

test('what does not exist is said to be not found', async () => {
  const [answer = new Uint8Array()] = await ask([request(4, 'longshore.None')]);
  assert.deepEqual(texts(parts(answer, 7), 2), ['not found: symbol longshore.None']);
});

import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Connection } from './wire.ts';

const asIs = (bytes: Uint8Array) => bytes;

/** grpc.reflection.v1; its messages are written and read here by their field numbers. */
const definition = {
  serverReflectionInfo: {
    path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
    options: {},
  },
} as const;

/** The services that server reflection lists. */
export async function reflectedServices(connection: Connection): Promise<string[]> {
  async function* requests() {
    // ServerReflectionRequest.list_services = 7
    yield new BinaryWriter()
      .uint32((7 << 3) | 2)
      .string('*')
      .finish();
  }
  for await (const answer of connection.client(definition).serverReflectionInfo(requests())) {
    // ServerReflectionResponse.list_services_response = 6, its service = 1, its name = 1
    return membersOf(answer, 6).flatMap((list) => membersOf(list, 1).flatMap((service) => textsOf(service, 1)));
  }
  return [];
}

function membersOf(message: Uint8Array, field: number): Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === field) found.push(reader.bytes());
    else reader.skip(type, number);
  }
  return found;
}

function textsOf(message: Uint8Array, field: number): string[] {
  return membersOf(message, field).map((bytes) => Buffer.from(bytes).toString('utf8'));
}

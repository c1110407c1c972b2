import { readFileSync } from 'node:fs';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Access } from '../../proto/gen/longshore/contract/v1/access.ts';
import { type Owner, owners } from '../peers.ts';

/** What a call through the public sockets may reach. */
export interface Methods {
  /** Of the engine's services, those with a method for users. */
  readonly services: readonly string[];
  /** Who serves a method, by its path `/longshore.graph.v1.ImageService/GetImage`. */
  find(path: string): { owner: Owner; isPublic: boolean; isWrite: boolean } | undefined;
}

/** Made with the generated code; in a bundle it lies beside. */
export const descriptors = new URL('../../proto/gen/descriptors.bin', import.meta.url);

/** Field number of `(longshore.contract.v1.access)` in google.protobuf.MethodOptions. */
const accessField = 50301;

/** The contracts themselves say who may call what: see access.proto. */
export function readMethods(): Methods {
  const table = new Map<string, { owner: Owner; isPublic: boolean; isWrite: boolean }>();
  const services = new Set<string>();
  for (const { service, method, access } of methodsOf(readFileSync(descriptors))) {
    const owner = ownerOf(service);
    if (owner === undefined) continue;
    const isWrite = access === Access.ACCESS_WRITE;
    const isPublic = access === Access.ACCESS_READ || isWrite;
    table.set(`/${service}/${method}`, { owner, isPublic, isWrite });
    if (isPublic) services.add(service);
  }
  return { services: [...services], find: (path) => table.get(path) };
}

/** Whose a fully named service is. */
export function ownerOf(service: string): Owner | undefined {
  const [, subsystem] = /^longshore\.(\w+)\./.exec(service) ?? [];
  return owners.find((owner) => owner === subsystem);
}

interface Method {
  service: string;
  method: string;
  access: number;
}

/** Field numbers are those of google/protobuf/descriptor.proto. */
function* methodsOf(set: Uint8Array): Generator<Method> {
  for (const file of messagesIn(set, 1)) {
    const [scope = ''] = textsIn(file, 2);
    for (const service of messagesIn(file, 6)) {
      const [name = ''] = textsIn(service, 1);
      for (const method of messagesIn(service, 2)) {
        const [methodName = ''] = textsIn(method, 1);
        const [options = new Uint8Array()] = messagesIn(method, 4);
        const [access = 0] = fieldsIn(options, accessField, (reader) => reader.int32());
        yield { service: `${scope}.${name}`, method: methodName, access };
      }
    }
  }
}

const messagesIn = (bytes: Uint8Array, field: number) => fieldsIn(bytes, field, (reader) => reader.bytes());
const textsIn = (bytes: Uint8Array, field: number) => fieldsIn(bytes, field, (reader) => reader.string());

function fieldsIn<T>(bytes: Uint8Array, wanted: number, read: (reader: BinaryReader) => T): T[] {
  const found: T[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted) found.push(read(reader));
    else reader.skip(wireType);
  }
  return found;
}

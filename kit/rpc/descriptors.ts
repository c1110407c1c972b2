import { readFileSync } from 'node:fs';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { codeNumber } from './status.ts';

// Field numbers are those of google/protobuf/descriptor.proto and grpc/reflection/v1/reflection.proto.

interface File {
  bytes: Uint8Array;
  name: string;
  imports: string[];
}

interface Index {
  files: Map<string, File>;
  /** The file that declares a fully qualified name. */
  symbols: Map<string, File>;
  /** By extended message, then by field number. */
  extensions: Map<string, Map<number, File>>;
}

/** Answers grpc.reflection requests, bytes for bytes, from the FileDescriptorSet in `file`. */
export function createReflection(file: string, services: readonly string[]) {
  const index = indexOf(readFileSync(file));
  return (request: Uint8Array): Uint8Array => {
    const response = new BinaryWriter();
    response.uint32(tag(2)).bytes(request);
    answer(index, services, request, response);
    return response.finish();
  };
}

function answer(index: Index, services: readonly string[], request: Uint8Array, response: BinaryWriter): void {
  for (const [field, read] of fieldsOf(request)) {
    if (field === 3) {
      const name = read.string();
      answerFile(index, index.files.get(name), `file ${name}`, response);
    } else if (field === 4) {
      const symbol = read.string();
      answerFile(index, index.symbols.get(symbol), `symbol ${symbol}`, response);
    } else if (field === 5) {
      const { type, number } = extensionRequest(read.bytes());
      answerFile(index, index.extensions.get(type)?.get(number), `extension ${number} of ${type}`, response);
    } else if (field === 6) {
      const type = read.string();
      answerNumbers(type, index.extensions.get(type), response);
    } else if (field === 7) {
      read.string();
      answerServices(services, response);
    } else {
      read.skip(read.wireType);
    }
  }
}

function answerServices(services: readonly string[], response: BinaryWriter): void {
  response.uint32(tag(6)).fork();
  for (const name of services) response.uint32(tag(1)).fork().uint32(tag(1)).string(name).join();
  response.join();
}

function answerNumbers(type: string, numbers: Map<number, File> | undefined, response: BinaryWriter): void {
  if (numbers === undefined) {
    answerError(`extensions of ${type}`, response);
    return;
  }
  response.uint32(tag(5)).fork().uint32(tag(1)).string(type).uint32(tag(2)).fork();
  for (const number of numbers.keys()) response.int32(number);
  response.join().join();
}

/** A file comes with all that it imports, the asked one first. */
function answerFile(index: Index, file: File | undefined, asked: string, response: BinaryWriter): void {
  if (file === undefined) {
    answerError(asked, response);
    return;
  }
  const wanted = new Set([file]);
  for (const each of wanted) {
    for (const name of each.imports) {
      const imported = index.files.get(name);
      if (imported !== undefined) wanted.add(imported);
    }
  }
  response.uint32(tag(4)).fork();
  for (const each of wanted) response.uint32(tag(1)).bytes(each.bytes);
  response.join();
}

function answerError(asked: string, response: BinaryWriter): void {
  const code = codeNumber('NOT_FOUND');
  response
    .uint32(tag(7))
    .fork()
    .uint32(1 << 3)
    .int32(code)
    .uint32(tag(2))
    .string(`not found: ${asked}`)
    .join();
}

function extensionRequest(bytes: Uint8Array): { type: string; number: number } {
  let type = '';
  let number = 0;
  for (const [field, read] of fieldsOf(bytes)) {
    if (field === 1) type = read.string();
    else if (field === 2) number = read.int32();
    else read.skip(read.wireType);
  }
  return { type, number };
}

function indexOf(set: Uint8Array): Index {
  const index: Index = { files: new Map(), symbols: new Map(), extensions: new Map() };
  for (const [field, read] of fieldsOf(set)) {
    if (field === 1) indexFile(index, read.bytes());
    else read.skip(read.wireType);
  }
  return index;
}

function indexFile(index: Index, bytes: Uint8Array): void {
  const file: File = { bytes, name: '', imports: [] };
  const declared: { kind: 'message' | 'enum' | 'service' | 'extension'; bytes: Uint8Array }[] = [];
  let scope = '';
  for (const [field, read] of fieldsOf(bytes)) {
    if (field === 1) file.name = read.string();
    else if (field === 2) scope = `${read.string()}.`;
    else if (field === 3) file.imports.push(read.string());
    else if (field === 4) declared.push({ kind: 'message', bytes: read.bytes() });
    else if (field === 5) declared.push({ kind: 'enum', bytes: read.bytes() });
    else if (field === 6) declared.push({ kind: 'service', bytes: read.bytes() });
    else if (field === 7) declared.push({ kind: 'extension', bytes: read.bytes() });
    else read.skip(read.wireType);
  }
  index.files.set(file.name, file);
  for (const { kind, bytes: part } of declared) {
    if (kind === 'message') indexMessage(index, file, scope, part);
    else if (kind === 'extension') indexExtension(index, file, scope, part);
    else indexMembers(index, file, scope, part);
  }
}

/** A message's own name, its fields (2), nested messages (3), enums (4), extensions (6) and oneofs (8). */
function indexMessage(index: Index, file: File, scope: string, bytes: Uint8Array): void {
  const name = scope + nameIn(bytes);
  index.symbols.set(name, file);
  for (const [field, read] of fieldsOf(bytes)) {
    if (field === 2 || field === 8) index.symbols.set(`${name}.${nameIn(read.bytes())}`, file);
    else if (field === 3) indexMessage(index, file, `${name}.`, read.bytes());
    else if (field === 4) indexMembers(index, file, `${name}.`, read.bytes());
    else if (field === 6) indexExtension(index, file, `${name}.`, read.bytes());
    else read.skip(read.wireType);
  }
}

/** A service with its methods or an enum with its values: in both they are field 2. */
function indexMembers(index: Index, file: File, scope: string, bytes: Uint8Array): void {
  const name = scope + nameIn(bytes);
  index.symbols.set(name, file);
  for (const [field, read] of fieldsOf(bytes)) {
    if (field === 2) index.symbols.set(`${name}.${nameIn(read.bytes())}`, file);
    else read.skip(read.wireType);
  }
}

function indexExtension(index: Index, file: File, scope: string, bytes: Uint8Array): void {
  let extended = '';
  let number = 0;
  for (const [field, read] of fieldsOf(bytes)) {
    if (field === 2) extended = read.string().replace(/^\./, '');
    else if (field === 3) number = read.int32();
    else read.skip(read.wireType);
  }
  index.symbols.set(scope + nameIn(bytes), file);
  const numbers = index.extensions.get(extended) ?? new Map<number, File>();
  index.extensions.set(extended, numbers.set(number, file));
}

/** `name` is field 1 of every descriptor. */
function nameIn(bytes: Uint8Array): string {
  for (const [field, read] of fieldsOf(bytes)) {
    if (field === 1) return read.string();
    read.skip(read.wireType);
  }
  return '';
}

/** The fields of a message in order; the taker reads or skips each. */
function* fieldsOf(bytes: Uint8Array): Generator<[field: number, read: BinaryReader & { wireType: number }]> {
  const reader = Object.assign(new BinaryReader(bytes), { wireType: 0 });
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    reader.wireType = wireType;
    yield [field, reader];
  }
}

/** Tag of a length-delimited field. */
function tag(field: number): number {
  return (field << 3) | 2;
}

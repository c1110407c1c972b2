import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { CompatServiceDefinition, TsProtoServiceDefinition } from 'nice-grpc';

/** Shorter ones are copied sooner than noted down. */
const longBytes = 8 * 1024;

/**
 * Writes a message with its long `bytes` copied once, at the end, into a buffer of the right size. The usual writer copies
 * them into one that it has doubled, and zeroed, until it is large enough, and that into another. What it is given must not
 * change before `finish`.
 */
export class RopeWriter extends BinaryWriter {
  readonly #strands: Uint8Array[] = [];
  /** How many messages in the message are begun: what is in one is measured where the usual writer has it. */
  #depth = 0;

  override fork(): this {
    this.#depth += 1;
    return super.fork();
  }

  override join(): this {
    this.#depth -= 1;
    return super.join();
  }

  override bytes(value: Uint8Array): this {
    if (value.length < longBytes || this.#depth > 0) return super.bytes(value);
    this.uint32(value.length);
    this.#strands.push(super.finish(), value);
    return this;
  }

  override finish(): Uint8Array<ArrayBuffer> {
    const last = super.finish();
    if (this.#strands.length === 0) return last;
    const whole = Buffer.concat([...this.#strands, last]);
    this.#strands.length = 0;
    return whole;
  }
}

type Encode = (message: unknown, writer?: BinaryWriter) => { finish(): Uint8Array };

/** The same contract, its messages written so. */
export function withRopes<D extends CompatServiceDefinition>(definition: D): D {
  if (!isTsProto(definition)) return definition;
  const methods = Object.entries(definition.methods).map(([key, method]) => {
    const { requestType, responseType } = method;
    return [key, { ...method, requestType: withRope(requestType), responseType: withRope(responseType) }];
  });
  return { ...definition, methods: Object.fromEntries(methods) };
}

function withRope<Type extends { encode: Encode }>(type: Type): Type {
  return { ...type, encode: (message: unknown) => type.encode(message, new RopeWriter()) };
}

export function isTsProto(definition: CompatServiceDefinition): definition is TsProtoServiceDefinition {
  return 'fullName' in definition;
}

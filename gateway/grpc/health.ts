import type { ServerHttp2Stream } from 'node:http2';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Owner } from '../peers.ts';
import { messageSize } from './messages.ts';
import { ownerOf } from './methods.ts';

/** Bytes already read, and the owner that they ask about. */
export interface HealthQuestion {
  owner: Owner;
  read: Buffer[];
}

/**
 * Whose health is asked for, by grpc.health.v1: each owner answers for its own services, and the daemon, without which
 * there is no engine, for everything else.
 */
export function healthQuestion(stream: ServerHttp2Stream): Promise<HealthQuestion> {
  return new Promise((resolve, reject) => {
    const read: Buffer[] = [];
    const look = (): void => {
      for (let chunk: Buffer | null = stream.read(); chunk !== null; chunk = stream.read()) read.push(chunk);
      try {
        const bytes = Buffer.concat(read);
        const size = messageSize(bytes);
        if (size === undefined) return;
        stream.off('readable', look);
        resolve({ owner: ownerOf(serviceIn(bytes.subarray(5, size))) ?? 'daemon', read });
      } catch (error) {
        reject(error);
      }
    };
    stream.on('readable', look);
    stream.once('end', () => reject(new Error('no message')));
    stream.once('close', () => reject(new Error('the caller has gone')));
  });
}

/** HealthCheckRequest { string service = 1; } */
function serviceIn(message: Uint8Array): string {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) return reader.string();
    reader.skip(wireType);
  }
  return '';
}

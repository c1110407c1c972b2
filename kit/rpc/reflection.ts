import { fileURLToPath } from 'node:url';
import type { MethodDefinition, ServiceImplementation } from 'nice-grpc';

type Bytes = Uint8Array;

/** Its messages are passed on as bytes, so that their code too is loaded only when needed. */
type ReflectionDefinition = { serverReflectionInfo: MethodDefinition<Bytes, Bytes, Bytes, Bytes, true, true> };

interface ReflectionService {
  definition: ReflectionDefinition;
  implementation: ServiceImplementation<ReflectionDefinition>;
}

/** The two packages of gRPC Server Reflection; their messages are alike. */
const packages = ['grpc.reflection.v1', 'grpc.reflection.v1alpha'];

/**
 * Server reflection for these services. Nothing is read or parsed before somebody asks, so that it costs an idle service
 * no memory.
 */
export function reflectionServices(services: readonly string[], descriptors?: string): ReflectionService[] {
  let answering: Promise<(request: Bytes) => Bytes> | undefined;
  const open = async () => {
    const { createReflection } = await import('./descriptors.ts');
    return createReflection(descriptors ?? usualDescriptors(), services);
  };
  async function* serverReflectionInfo(requests: AsyncIterable<Bytes>) {
    answering ??= open();
    const answer = await answering;
    for await (const request of requests) yield answer(request);
  }
  return packages.map((name) => ({
    definition: {
      serverReflectionInfo: {
        path: `/${name}.ServerReflection/ServerReflectionInfo`,
        requestStream: true,
        responseStream: true,
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
        options: {},
      },
    },
    implementation: { serverReflectionInfo },
  }));
}

function asIs(bytes: Bytes): Bytes {
  return bytes;
}

/** Made with the generated code; in a bundle it lies beside. */
function usualDescriptors(): string {
  return fileURLToPath(new URL('../../proto/gen/descriptors.bin', import.meta.url));
}

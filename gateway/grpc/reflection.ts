import type { ServerHttp2Stream } from 'node:http2';
import { fileURLToPath } from 'node:url';
import { beginAnswer } from './answer.ts';
import { framed, messagesOf } from './messages.ts';
import { descriptors } from './methods.ts';

/** Server reflection, v1 and v1alpha, for all that can be called here; whose it is does not matter to a client. */
export async function reflect(stream: ServerHttp2Stream, services: readonly string[]): Promise<void> {
  // Loaded when it is asked for, since most engines never are.
  const { createReflection } = await import('../../kit/rpc/descriptors.ts');
  const answer = createReflection(fileURLToPath(descriptors), services);
  beginAnswer(stream);
  for await (const request of messagesOf(stream.iterator({ destroyOnReturn: false }))) {
    stream.write(framed(answer(request)));
  }
  stream.end();
}

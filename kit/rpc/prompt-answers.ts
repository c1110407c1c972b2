import { type Channel, type InterceptingListener, Metadata, status } from '@grpc/grpc-js';
import type { CompatServiceDefinition } from 'nice-grpc';
import { isTsProto } from './rope-writer.ts';

type Call = ReturnType<Channel['createCall']>;

/**
 * A channel on which a unary call is over with its answer. The status behind it, which is OK since there is one, comes in a
 * later turn of the peer's event loop, and would be waited for each time: gRPC over HTTP/2 sends it in trailers, and Node
 * writes those apart. Nothing is cut off: it is received when it comes.
 */
export function promptly(channel: Channel, definition: CompatServiceDefinition): Channel {
  const unary = unaryPaths(definition);
  const prompt: Channel = Object.create(channel);
  prompt.createCall = (path, ...rest) => {
    const call = channel.createCall(path, ...rest);
    if (unary.has(path)) endWithAnswer(call);
    return call;
  };
  return prompt;
}

function endWithAnswer(call: Call): void {
  const start = call.start.bind(call);
  call.start = (metadata, listener: InterceptingListener) => {
    let isOver = false;
    start(metadata, {
      onReceiveMetadata: (received) => listener.onReceiveMetadata(received),
      onReceiveMessage(message) {
        listener.onReceiveMessage(message);
        isOver = true;
        listener.onReceiveStatus({ code: status.OK, details: 'OK', metadata: new Metadata() });
      },
      onReceiveStatus(received) {
        if (!isOver) listener.onReceiveStatus(received);
      },
    });
  };
}

function unaryPaths(definition: CompatServiceDefinition): ReadonlySet<string> {
  if (!isTsProto(definition)) return new Set();
  const methods = Object.values(definition.methods).filter((method) => !method.requestStream && !method.responseStream);
  return new Set(methods.map(({ name }) => `/${definition.fullName}/${name}`));
}

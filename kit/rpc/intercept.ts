import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';

/** Metadata in which the deadline reaches the handlers: nice-grpc's context has no member for it. */
export const deadlineKey = 'longshore-deadline';

/** Turns `grpc-timeout`, which grpc-js takes for itself, into a time of day. What a caller puts there is dropped. */
export const exposeDeadline: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    start(next) {
      next({
        onReceiveMetadata(metadata: Metadata, pass: (metadata: Metadata) => void) {
          metadata.remove(deadlineKey);
          const deadline = Number(call.getDeadline());
          if (Number.isFinite(deadline)) metadata.set(deadlineKey, String(deadline));
          pass(metadata);
        },
      });
    },
  });

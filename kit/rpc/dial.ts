import { setTimeout as pause } from 'node:timers/promises';
import { connectivityState } from '@grpc/grpc-js';
import {
  type Client,
  type ClientMiddleware,
  type CompatServiceDefinition,
  createChannel,
  createClientFactory,
  waitForChannelReady,
} from 'nice-grpc';
import { type DeadlineOptions, deadlineMiddleware } from 'nice-grpc-client-middleware-deadline';
import { HealthDefinition } from 'nice-grpc-server-health';
import { isServiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { TlsFiles } from '../service.ts';
import { type PeerOptions, peerMiddleware } from './caller.ts';
import { clientCredentials, parseDial } from './endpoint.ts';
import { maxMessageBytes } from './limits.ts';
import type { Neighbours } from './neighbours.ts';
import { promptly } from './prompt-answers.ts';
import { withRopes } from './rope-writer.ts';

export interface DialOptions {
  /** Who calls; peers see it in their logs. */
  role: string;
  log: Logger;
  /** Of unary calls that are not given one, in milliseconds. */
  deadlineMs?: number;
  /** How long a unary call that was cut off by the peer's death is repeated, under its request id; 0 when left out. */
  repeatMs?: number;
  tls?: TlsFiles;
  /** Sees every call as its caller does. */
  middleware?: ClientMiddleware;
  /** Of the same process: calls to one of them need no connection. */
  neighbours?: Neighbours | undefined;
}

/** nice-grpc's client; calls also take `deadlineMs` and `requestId`. */
export type PeerClient<D extends CompatServiceDefinition> = Client<D, DeadlineOptions & PeerOptions>;

/** One connection to one peer. It is made by the first call and comes back by itself. */
export interface Channel {
  readonly endpoint: string;
  client<D extends CompatServiceDefinition>(definition: D): PeerClient<D>;
  /**
   * Whether the peer answers within this time. A round trip: a connection may still count as one when its peer has just died.
   */
  ready(timeoutMs: number): Promise<boolean>;
  close(): void;
}

/** `unix:///path` or `dns:///host:port`; the latter in plain text on loopback only. Does no I/O but read the TLS files. */
export function dial(endpoint: string, options: DialOptions): Channel {
  const address = parseDial(endpoint);
  const secured = clientCredentials(endpoint, address, options.tls);
  const channel = createChannel(endpoint, secured.credentials, { ...channelOptions, ...secured.options });
  const { neighbours } = options;
  const overTheWire = (waitMs: number): Promise<boolean> =>
    waitForChannelReady(channel, new Date(Date.now() + waitMs)).then(
      () => true,
      () => false,
    );
  const connected = (waitMs: number): Promise<boolean> =>
    neighbours === undefined
      ? overTheWire(waitMs)
      : Promise.race([neighbours.appears(endpoint, waitMs), overTheWire(waitMs)]);
  const carrying = createClientFactory();
  const calling = (neighbours === undefined ? carrying : carrying.use(neighbours.middleware(endpoint)))
    .use(deadlineMiddleware)
    .use(
      peerMiddleware({
        endpoint,
        role: options.role,
        log: options.log,
        deadlineMs: options.deadlineMs ?? 30_000,
        repeatMs: options.repeatMs ?? 0,
        isConnected: () =>
          neighbours?.has(endpoint) === true || channel.getConnectivityState(true) === connectivityState.READY,
        connected,
      }),
    );
  const factory = options.middleware === undefined ? calling : calling.use(options.middleware);
  return {
    endpoint,
    client: (definition) => factory.create(withRopes(definition), promptly(channel, definition)),
    async ready(timeoutMs) {
      const health = factory.create(HealthDefinition, channel);
      for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await pause(lookAgainMs)) {
        if (!(await connected(deadline - Date.now()))) return false;
        const answer = await health
          .check({ service: '' }, { deadlineMs: Math.max(1, deadline - Date.now()) })
          .catch(codeOf);
        // Whatever else it says, it is there.
        if (answer !== 'UNAVAILABLE' && answer !== 'DEADLINE_EXCEEDED' && answer !== 'CANCELLED') return true;
      }
      return false;
    },
    close: () => channel.close(),
  };
}

const lookAgainMs = 5;

function codeOf(error: unknown): string | undefined {
  return isServiceError(error) ? error.code : undefined;
}

const channelOptions = {
  'grpc.max_receive_message_length': maxMessageBytes,
  'grpc.max_send_message_length': maxMessageBytes,
  // A repeat is the caller's decision, by the same request id.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  // A peer that was killed is back within a second or two, and is to be found at once.
  'grpc.initial_reconnect_backoff_ms': 20,
  'grpc.max_reconnect_backoff_ms': 200,
  // A peer that hangs is noticed on streams, which have no deadline.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // Bytes on their way in one stream. With HTTP/2's usual 64 KiB both ends wait for each other most of the time.
  'grpc-node.flow_control_window': 512 * 1024,
  // Several services of one process do not share connections: each closes its own.
  'grpc.use_local_subchannel_pool': 1,
};

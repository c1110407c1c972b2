import { randomBytes } from 'node:crypto';
import type { Fence, Identity } from '../../proto/gen/longshore/contract/v1/fence.ts';
import { type Connection, connect } from './wire.ts';

/** An implementation to prove. It is for the suite alone: the suite drains it. */
export interface Target {
  /** `unix:///path` or `dns:///host:port`. */
  endpoint: string;
  /** It runs on this host, so that paths that it gives out can be looked at. */
  isLocal?: boolean;
  /** Ends it and starts it anew on the same data. Without this, what must survive a restart is not looked at. */
  restart?: () => Promise<void>;
}

/** A coordinator's standing with the implementation. */
export interface Session {
  readonly target: Target;
  readonly connection: Connection;
  /** The present coordinator. */
  fence(): Fence;
  /** The next one. */
  newFence(): Fence;
  close(): void;
}

/** Goes on as the engine that the implementation knows already, or as a new one. */
export async function openSession(
  target: Target,
  identify: (connection: Connection) => Promise<{ identity?: Identity | undefined }>,
): Promise<Session> {
  const connection = connect(target.endpoint);
  const { identity } = await identify(connection);
  const engineId = identity?.engineId || randomBytes(16).toString('hex');
  let epoch = (identity?.epoch ?? 0) + 1;
  const fence = () => ({ engineId, epoch, bootId: '' });
  return {
    target,
    connection,
    fence,
    newFence() {
      epoch += 1;
      return fence();
    },
    close: () => connection.close(),
  };
}

/** An id as callers choose them. */
export function newId(): string {
  return randomBytes(32).toString('hex');
}

export function newRequestId(): string {
  return randomBytes(16).toString('hex');
}

import { createHash, randomBytes } from 'node:crypto';
import { currentCall, detached } from '../../kit/rpc/call.ts';
import type { Peers } from '../peers.ts';
import { containerConfig, endpointConfigs, hostConfig } from './container-config.ts';
import { BadRequest } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { patient } from './patience.ts';

/** Who gives up, or goes away before the answer is sent, lets the daemon know: asked again for the same, it has it. */
export async function createContainer(exchange: Exchange, { containers }: Peers): Promise<void> {
  const { query, signal } = exchange;
  const body = await exchange.body();
  if (body === undefined) throw new BadRequest('config cannot be empty in order to create a container');
  const id = newId();
  // A slash alone is no name, and not the same as none.
  const name = query.text('name')?.replace(/^\/(?=.)/, '') ?? '';
  const request = {
    id,
    name,
    config: containerConfig(body),
    hostConfig: hostConfig(body.object('HostConfig')),
    endpoints: endpointConfigs(body),
    platform: query.text('platform') ?? '',
    // What has no name is never asked for again.
    reportsAnswer: name !== '',
  };
  try {
    const created = await containers.createContainer(request, { ...patient, signal });
    exchange.json(201, { Id: created.id, Warnings: created.warnings });
  } catch (error) {
    // The daemon may have answered all the same.
    if (!signal.aborted) throw error;
  }
  if (!request.reportsAnswer) return;
  const taken = await exchange.taken();
  // Lost with the daemon, it counts as not taken.
  detached(() => containers.reportAnswer({ id, taken })).catch(() => undefined);
}

/** 64 hex digits; the same for every repeat of a request to which the client gave an id (X-Request-Id). */
function newId(): string {
  const call = currentCall();
  if (call?.requestIdGiven !== true) return randomBytes(32).toString('hex');
  return createHash('sha256').update(`create ${call.requestId}`).digest('hex');
}

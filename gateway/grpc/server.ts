import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { codeNames, isServiceError, messageOf } from '../../kit/errors.ts';
import type { Desk } from '../engine-api/router.ts';
import { errors } from '../errors.ts';
import { peerOf } from '../peer.ts';
import type { Owner } from '../peers.ts';
import { refuseCall } from './answer.ts';
import { healthQuestion } from './health.ts';
import { type Methods, readMethods } from './methods.ts';
import { objectOf } from './object.ts';
import type { Owners } from './owners.ts';
import { type PassOptions, passOn } from './pass.ts';
import { reflect } from './reflection.ts';

/** The gRPC side of the front door: whatever the services offer to users, at one endpoint. Connections are handed to it. */
export function grpcServer(owners: Owners, { traffic, audit, log }: Desk): Http2Server {
  // Read at the first call, since most engines are spoken to by REST alone.
  let known: Methods | undefined;
  const methods = () => {
    known ??= readMethods();
    return known;
  };

  async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const path = headers[':path'] ?? '';
    if (!headers['content-type']?.startsWith('application/grpc')) {
      stream.respond({ ':status': 415 }, { endStream: true });
      return;
    }
    if (/^\/grpc\.reflection\.v1(alpha)?\.ServerReflection\/ServerReflectionInfo$/.test(path)) {
      await reflect(stream, methods().services);
      return;
    }
    if (/^\/grpc\.health\.v1\.Health\/(Check|Watch)$/.test(path)) {
      const { owner, read } = await healthQuestion(stream);
      await pass(stream, headers, owner, () => ({ read }));
      return;
    }
    const method = methods().find(path);
    if (method === undefined) refuseCall(stream, errors.unknownMethod({ method: path }));
    else if (!method.isPublic) refuseCall(stream, errors.coordinatorOnly({ method: path }));
    else if (method.isWrite) await pass(stream, headers, method.owner, () => ({ ended: auditing(stream, headers) }));
    else await pass(stream, headers, method.owner);
  }

  async function pass(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    owner: Owner,
    options: () => PassOptions = () => ({}),
  ) {
    const session = await owners.session(owner);
    if (!stream.destroyed) passOn(stream, headers, session, owner, options());
  }

  function auditing(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): (status: string | undefined) => void {
    const peer = stream.session?.socket;
    // Asked while it is there: a stream may outlive it.
    if (peer) peerOf(peer);
    const object = objectOf(stream);
    const verb = headers[':path']?.split('/').at(-1) ?? '';
    const requestId = String(headers['request-id'] ?? '');
    return (status) => {
      const outcome = codeNames[Number(status ?? Number.NaN)] ?? 'CANCELLED';
      audit.write(peer, { verb, object: object(), outcome, requestId });
    };
  }

  const server = createServer({ settings: { initialWindowSize: 256 * 1024 } });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on(
      'close',
      traffic.enter(() => stream.headersSent),
    );
    stream.on('error', (error) => log.debug({ err: error, path: headers[':path'] }, 'call broken off'));
    answer(stream, headers).catch((error: unknown) => {
      refuseCall(stream, isServiceError(error) ? error : errors.badMessage({ problem: messageOf(error) }));
    });
  });
  server.on('sessionError', (error) => log.debug({ err: error }, 'connection broken off'));
  return server;
}

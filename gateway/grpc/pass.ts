import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { ServiceError } from '../../kit/errors.ts';
import { errors } from '../errors.ts';
import type { Owner } from '../peers.ts';
import { errorTrailers, refuseCall } from './answer.ts';

export interface PassOptions {
  /** Bytes that were read from the caller already. */
  read?: readonly Buffer[];
  /** Called at the end, with the owner's `grpc-status` if it gave one. */
  ended?: (status: string | undefined) => void;
}

/** Passes a call on to its owner as it is: messages both ways as fast as the slower side takes them, trailers, cancellation. */
export function passOn(
  up: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  session: ClientHttp2Session,
  owner: Owner,
  options: PassOptions,
): void {
  const { ':authority': _authority, host: _host, 'longshore-caller': _caller, ...rest } = headers;
  const down = session.request({ ...rest, ':authority': 'localhost' }, { endStream: false });
  for (const bytes of options.read ?? []) down.write(bytes);
  up.pipe(down);
  answerFrom(down, up, errors.connectionLost({ service: owner }));

  up.on('close', () => down.close(constants.NGHTTP2_CANCEL));
  up.on('error', () => down.close(constants.NGHTTP2_CANCEL));
  if (options.ended !== undefined) tellEnd(down, options.ended);
}

/** The owner's `grpc-status`: of the trailers, or of an answer that is nothing else; undefined when it gave none. */
function tellEnd(down: ClientHttp2Stream, ended: (status: string | undefined) => void): void {
  let status: string | undefined;
  const note = (headers: IncomingHttpHeaders) => {
    const given = headers['grpc-status'];
    if (typeof given === 'string') status = given;
  };
  down.on('response', note);
  down.on('trailers', note);
  down.on('close', () => ended(status));
}

function answerFrom(down: ClientHttp2Stream, up: ServerHttp2Stream, lost: ServiceError): void {
  let trailers: OutgoingHttpHeaders = errorTrailers(lost);
  down.on('response', (headers, flags) => {
    if (up.destroyed) return;
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) {
      up.respond(headers, { endStream: true });
      return;
    }
    up.respond(headers, { waitForTrailers: true });
    up.on('wantTrailers', () => up.sendTrailers(trailers));
    down.pipe(up);
  });
  down.on('trailers', (received) => {
    trailers = received;
  });
  down.on('error', () => {});
  down.on('close', () => {
    if (up.destroyed) return;
    if (up.headersSent) up.end();
    else refuseCall(up, lost);
  });
}

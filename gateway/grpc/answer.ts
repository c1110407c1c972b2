import type { ServerHttp2Stream } from 'node:http2';
import { type CodeName, codeNames } from '../../kit/errors.ts';

const contentType = 'application/grpc+proto';

/** Ends a call that nothing has been answered to yet. */
export function refuseCall(stream: ServerHttp2Stream, code: CodeName, message: string): void {
  if (stream.headersSent || stream.destroyed) return;
  stream.respond(
    { ':status': 200, 'content-type': contentType, ...statusTrailers(code, message) },
    { endStream: true },
  );
  // What the client still sends is of no use.
  stream.resume();
}

export function statusTrailers(code: CodeName, message = '') {
  return {
    'grpc-status': String(codeNames.indexOf(code)),
    // Percent-encoded; see gRPC over HTTP/2, Status-Message.
    ...(message !== '' && { 'grpc-message': encodeURIComponent(message) }),
  };
}

/** Begins an answer of messages, with OK at its end. */
export function beginAnswer(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': contentType }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(statusTrailers('OK')));
}

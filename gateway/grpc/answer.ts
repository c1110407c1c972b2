import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { codeNames, type ServiceError } from '../../kit/errors.ts';
import { detailsKey, encodeDetails } from '../../kit/rpc/status.ts';

const contentType = 'application/grpc+proto';

/** Ends a call that nothing has been answered to yet. */
export function refuseCall(stream: ServerHttp2Stream, error: ServiceError): void {
  if (stream.headersSent || stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': contentType, ...errorTrailers(error) }, { endStream: true });
  // What the client still sends is of no use.
  stream.resume();
}

/** Begins an answer of messages, with OK at its end. */
export function beginAnswer(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': contentType }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
}

export function errorTrailers(error: ServiceError): OutgoingHttpHeaders {
  return {
    'grpc-status': String(codeNames.indexOf(error.code)),
    // Printable ASCII but the percent sign stands as it is; see gRPC over HTTP/2, Status-Message.
    'grpc-message': error.message.replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent),
    [detailsKey]: Buffer.from(encodeDetails(error)).toString('base64'),
  };
}

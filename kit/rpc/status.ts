import { ErrorInfo } from '../../proto/gen/google/rpc/error_details.ts';
import { Status as RpcStatus } from '../../proto/gen/google/rpc/status.ts';
import { type CodeName, codeNames, ServiceError } from '../errors.ts';

/** The trailer that carries a google.rpc.Status; see gRPC's "Richer error model". */
export const detailsKey = 'grpc-status-details-bin';

const domain = 'longshore';
const errorInfoType = 'type.googleapis.com/google.rpc.ErrorInfo';
/** Metadata's own member for `ServiceError.service`. */
const serviceKey = 'service';

/**
 * An answer's trailers must fit the 8 KiB that clients take by default (gRPC's C core), all else in them included; and a name
 * or a path in a message may be as long as a request.
 */
const [longestMessage, longestMetadata] = [1600, 1600];

/** A ServiceError's message as it is sent: clipped where it is too long. Counted as it travels, percent-encoded. */
export function messageToSend({ message }: ServiceError): string {
  return clip(message, longestMessage, (character) => (/[ -~]/.test(character) ? 1 : 3 * Buffer.byteLength(character)));
}

function metadataToSend(error: ServiceError): Record<string, string> {
  const sent: Record<string, string> = {};
  let left = longestMetadata;
  for (const [key, value] of Object.entries({ [serviceKey]: error.service, ...error.metadata })) {
    left -= Buffer.byteLength(key);
    if (left <= 0) break;
    sent[key] = clip(value, left, Buffer.byteLength);
    left -= Buffer.byteLength(sent[key]);
  }
  return sent;
}

/** The beginning and the end of what is too long, whole characters, with `…` in the place of the rest. */
function clip(text: string, limit: number, costOf: (character: string) => number): string {
  const head = begin(text, limit, costOf);
  if (head.length === text.length) return text;
  const tailLimit = Math.floor(limit / 4);
  // No character takes more than two units, and none costs less than one.
  const end = [...text.slice(-2 * tailLimit)].reverse();
  const tail = begin(end.join(''), tailLimit, costOf);
  return `${begin(head, limit - tailLimit, costOf)}…${[...tail].reverse().join('')}`;
}

/** As much of the beginning as the limit allows. */
function begin(text: string, limit: number, costOf: (character: string) => number): string {
  let cost = 0;
  let end = 0;
  for (const character of text) {
    cost += costOf(character);
    if (cost > limit) return text.slice(0, end);
    end += character.length;
  }
  return text;
}

export function codeNumber(code: CodeName): number {
  return codeNames.indexOf(code);
}

export function codeName(code: number): CodeName {
  return codeNames[code] ?? 'UNKNOWN';
}

/** A google.rpc.Status with one ErrorInfo. */
export function encodeDetails(error: ServiceError): Uint8Array {
  const info = { reason: error.reason, domain, metadata: metadataToSend(error) };
  return RpcStatus.encode({
    code: codeNumber(error.code),
    message: messageToSend(error),
    details: [{ typeUrl: errorInfoType, value: Buffer.from(ErrorInfo.encode(info).finish()) }],
  }).finish();
}

/** What a peer answered, as the error that it threw. Without an ErrorInfo the reason is the code's name. */
export function decodeError(
  answer: { code: number; message: string; details: Uint8Array | undefined; service: string },
  cause: unknown,
): ServiceError {
  const code = codeName(answer.code);
  const info = errorInfo(answer.details);
  const { [serviceKey]: service = answer.service, ...metadata } = info?.metadata ?? {};
  return new ServiceError(
    { service, reason: info?.reason ?? code, code, message: answer.message, metadata },
    { cause },
  );
}

function errorInfo(details: Uint8Array | undefined): ErrorInfo | undefined {
  if (details === undefined) return undefined;
  try {
    const found = RpcStatus.decode(details).details.find((detail) => detail.typeUrl === errorInfoType);
    return found === undefined ? undefined : ErrorInfo.decode(found.value);
  } catch {
    // Another program's answer that is not what it says: its code and message are all there is.
    return undefined;
  }
}

/** What of RFC 9112 the engines answer with. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** Another request may follow on its connection. */
  readonly isKept: boolean;
}

const headEnd = '\r\n\r\n';

/** Undefined while more has to come; `hasEnded`: nothing will. */
export function parseAnswer(bytes: Buffer, hasEnded: boolean): Answer | undefined {
  const end = bytes.indexOf(headEnd);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
  const isKept = !/\r\nconnection: *close/i.test(head);
  const rest = bytes.subarray(end + headEnd.length);
  if (status === 204 || status === 304) return { status, isKept, body: rest.subarray(0, 0) };
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const isWhole = rest.length >= Number(length);
    return isWhole ? { status, isKept, body: rest.subarray(0, Number(length)) } : undefined;
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const body = joinChunks(rest);
    return body && { status, isKept, body };
  }
  return hasEnded ? { status, isKept: false, body: rest } : undefined;
}

/** Undefined while the last chunk is not there. */
function joinChunks(bytes: Buffer): Buffer | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const from = lineEnd + 2;
    if (bytes.length < from + size + 2) return undefined;
    if (size === 0) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(from, from + size));
    at = from + size + 2;
  }
}

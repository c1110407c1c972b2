import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type Answer, parseAnswer } from './answer.ts';

/** The Engine API on a unix socket, over connections that are kept open: what an SDK does. */
export interface Api {
  /** Answers with the body; throws on a status of 400 or more, with the engine's own message. */
  call(method: string, path: string, body?: object | Buffer): Promise<Buffer>;
  close(): void;
}

/** The newest version that all three engines speak. */
const version = '/v1.41';
const patienceMs = 90_000;

/** Not by node:http, which takes a millisecond or two for a request after a quiet while: this is not what is measured. */
export function openApi(socketPath: string): Api {
  const open = new Set<Socket>();
  const idle: Socket[] = [];

  const connected = (): Socket => {
    const socket = connect(socketPath);
    open.add(socket);
    // An engine may end between two requests.
    socket.on('error', () => {});
    socket.on('close', () => {
      open.delete(socket);
      if (idle.includes(socket)) idle.splice(idle.indexOf(socket), 1);
    });
    return socket;
  };

  return {
    async call(method, path, body) {
      const content = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const type = Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json';
      const fields = [`Content-Length: ${content?.length ?? 0}`, ...(content ? [`Content-Type: ${type}`] : [])];
      const lines = [`${method} ${version}${path} HTTP/1.1`, 'Host: localhost', ...fields, '', ''];
      const head = Buffer.from(lines.join('\r\n'));
      const socket = idle.pop() ?? connected();
      const what = `${method} ${path}`;
      const answer = await exchange(socket, what, content === undefined ? head : Buffer.concat([head, content]));
      if (answer.isKept) idle.push(socket);
      else socket.destroy();
      if (answer.status >= 400) throw new Error(`${what}: ${answer.status} ${answer.body}`);
      return answer.body;
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}

function exchange(socket: Socket, what: string, request: Buffer): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let received: Buffer = Buffer.alloc(0);
  const settle = (hasEnded: boolean) => {
    const answer = parseAnswer(received, hasEnded);
    if (answer !== undefined) resolve(answer);
    else if (hasEnded) reject(new Error(`${what}: the connection ended before the answer`));
  };
  const onData = (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    settle(false);
  };
  const onClose = () => settle(true);
  const onError = (cause: Error) => reject(new Error(`${what}: ${cause.message}`, { cause }));
  const patience = setTimeout(() => {
    reject(new Error(`${what}: no answer within ${patienceMs} ms`));
    socket.destroy();
  }, patienceMs);
  socket.on('data', onData).on('close', onClose).on('error', onError);
  socket.write(request);
  return promise.finally(() => {
    clearTimeout(patience);
    socket.off('data', onData).off('close', onClose).off('error', onError);
  });
}

/** Resolves as soon as `_ping` is answered with 200. */
export async function answersPing(socketPath: string, signal: AbortSignal): Promise<void> {
  while (!(await ping(socketPath))) {
    signal.throwIfAborted();
    // Often enough to be exact, seldom enough not to slow down what is being waited for.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({ socketPath, path: '/_ping', agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
    });
    // Not there yet, or not listening yet.
    sent.on('error', () => resolve(false));
    sent.end();
  });
}

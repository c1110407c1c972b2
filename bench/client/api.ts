import { Agent, type IncomingMessage, request } from 'node:http';

/** The Engine API on a unix socket, over connections that are kept open: what an SDK does. */
export interface Api {
  /** Answers with the body; throws on a status of 400 or more, with the engine's own message. */
  call(method: string, path: string, body?: object | Buffer): Promise<Buffer>;
  close(): void;
}

/** The newest version that all three engines speak. */
const version = '/v1.41';
const patienceMs = 90_000;

export function openApi(socketPath: string): Api {
  const agent = new Agent({ keepAlive: true });

  const send = (method: string, path: string, body?: object | Buffer) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const content = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const type = Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json';
      const headers = content === undefined ? {} : { 'Content-Type': type, 'Content-Length': content.length };
      const options = { socketPath, agent, method, path: version + path, headers, timeout: patienceMs };
      const sent = request(options, (response) => {
        if ((response.statusCode ?? 500) < 400) resolve(response);
        else
          wholeBody(response).then(
            (text) => reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`)),
            reject,
          );
      });
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer within ${patienceMs} ms`)));
      sent.on('error', reject);
      sent.end(content);
    });

  return {
    call: async (method, path, body) => wholeBody(await send(method, path, body)),
    close: () => agent.destroy(),
  };
}

async function wholeBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks);
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

import { request } from 'node:http';
import type { Engine } from '../engine.ts';

export interface Asked {
  status: number;
  /** What an error says. */
  message: string;
  body: string;
}

/** One request to the Engine API, with a body as it is. */
export function ask(engine: Engine, method: string, path: string, body?: string): Promise<Asked> {
  const { promise, resolve, reject } = Promise.withResolvers<Asked>();
  const socketPath = engine.host.slice('unix://'.length);
  const sent = request({ socketPath, method, path, headers: { 'Content-Type': 'application/json' } }, (response) => {
    let text = '';
    response.on('data', (chunk) => {
      text += chunk;
    });
    response.on('end', () => {
      const isJson = /json/.test(response.headers['content-type'] ?? '');
      const message = isJson && text !== '' ? ((JSON.parse(text) as { message?: string }).message ?? '') : '';
      resolve({ status: response.statusCode ?? 0, message, body: text });
    });
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

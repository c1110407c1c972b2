import { createServer, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './router.ts';

const maxHeaderSize = (1 << 20) + 4096;

/** The HTTP side of the front door. It listens on nothing itself: connections are handed to it. */
export function httpServer(answer: Answer): Server {
  // Docker's clients keep connections open between requests and stream for hours.
  // Headers up to a mebibyte, as Docker takes them: what is absurd in a query gets an answer that says so.
  const server = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0, maxHeaderSize }, answer);
  server.on('upgrade', (request, socket, head) => {
    const response = new ServerResponse(request);
    // The answer to a request that is not taken over is the last on its connection.
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.on('finish', () => socket.end());
    socket.on('error', () => socket.destroy());
    if (head.length > 0) socket.unshift(head);
    answer(request, response, socket);
  });
  return server;
}

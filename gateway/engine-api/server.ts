import { createServer, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './router.ts';

/** The HTTP side of the front door. It listens on nothing itself: connections are handed to it. */
export function httpServer(answer: Answer): Server {
  // Docker's clients keep connections open between requests and stream for hours.
  const server = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, answer);
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

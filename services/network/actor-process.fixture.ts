/**
 * A program inside a network namespace that serves and asks on behalf of a test: one JSON command a line on standard input, one
 * JSON answer a line on standard output. A server answers each connection or datagram with its own name and who asked.
 */
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

interface Command {
  id: number;
  op: 'serve' | 'ask';
  protocol: 'tcp' | 'udp';
  host: string;
  port: number;
  name: string;
  sourcePort?: number;
}

const timeoutMs = 1500;

function serve({ protocol, host, port, name }: Command): Promise<string> {
  return new Promise((resolve, reject) => {
    if (protocol === 'tcp') {
      const server = createServer((socket) => socket.on('error', () => {}).end(`${name} ${socket.remoteAddress}`));
      server.on('error', reject).listen(port, host, () => resolve('listening'));
      return;
    }
    const socket = createSocket('udp4');
    socket.on('error', reject);
    socket.on('message', (_, from) => socket.send(`${name} ${from.address}`, from.port, from.address));
    socket.bind(port, host, () => resolve('listening'));
  });
}

function ask({ protocol, host, port, sourcePort }: Command): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('ETIMEDOUT')), timeoutMs);
    const done = (text: string) => {
      clearTimeout(late);
      resolve(text);
    };
    if (protocol === 'tcp') {
      let text = '';
      const socket = connect(port, host);
      socket.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      socket.on('error', reject).on('end', () => done(text));
      return;
    }
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', reject).on('message', (message) => {
      done(String(message));
      socket.close();
    });
    socket.bind(sourcePort ?? 0, () => socket.send('?', port, host));
  });
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line) as Command;
  const work = command.op === 'serve' ? serve(command) : ask(command);
  work.then(
    (text) => console.log(JSON.stringify({ id: command.id, text })),
    (error: NodeJS.ErrnoException) =>
      console.log(JSON.stringify({ id: command.id, error: error.code ?? error.message })),
  );
});

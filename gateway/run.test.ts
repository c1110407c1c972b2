import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { AttachResponse } from '../proto/gen/longshore/execdriver/v1/stream.ts';
import { container, id } from './testing/daemon.ts';
import { docker } from './testing/docker.ts';
import { errors, type Owners, startEngine } from './testing/engine.ts';

/** One container that answers its input in capitals on stdout, then says a word on stderr and exits 3. */
function shouter(): Owners {
  const started = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<void>();
  const inputs: Buffer[] = [];
  const inputEnded = Promise.withResolvers<void>();
  const frame = (stream: 'stdout' | 'stderr', text: string): AttachResponse => ({
    frame: { $case: stream, value: Buffer.from(text) },
  });
  let stdin = false;
  return {
    containers: {
      createContainer: async (request) => {
        stdin = request.config?.openStdin ?? false;
        return { id };
      },
      getContainer: async () => ({ container: container() }),
      openStream: async () => ({ containerId: id, openStdin: stdin, stdinOnce: stdin }),
      startContainer: async () => {
        started.resolve();
        return { outcome: 1 };
      },
      async *waitContainer() {
        yield { event: { $case: 'standing', value: true } };
        await exited.promise;
        yield { event: { $case: 'exit', value: { code: 3 } } };
      },
      async *listContainers() {
        yield { container: container() };
      },
    },
    events: {
      async *watchEvents(_, { signal }) {
        yield { cursor: 0 };
        await once(signal, 'abort');
      },
    },
    streams: {
      async *attach(requests) {
        void (async () => {
          for await (const { frame } of requests) {
            if (frame?.$case === 'stdin') inputs.push(frame.value);
            if (frame?.$case === 'closeStdin') inputEnded.resolve();
          }
        })().catch(() => {});
        yield { frame: { $case: 'ready', value: {} } };
        await started.promise;
        yield frame('stdout', 'begun\n');
        if (stdin) await inputEnded.promise;
        yield frame('stdout', String(Buffer.concat(inputs)).toUpperCase());
        yield frame('stderr', 'bye\n');
        exited.resolve();
        yield { frame: { $case: 'exit', value: { code: 3 } } };
      },
    },
  };
}

test('docker run prints all that the container writes, from its first byte, and exits with its code', async (t) => {
  const { socket } = await startEngine(t, shouter());
  assert.deepEqual(await docker(socket, ['run', 'busybox']), { code: 3, stdout: 'begun\n', stderr: 'bye\n' });
});

test('docker run -i hands the input on to its end', async (t) => {
  const { socket } = await startEngine(t, shouter());
  const input = 'one line\n'.repeat(100_000);
  const ran = await docker(socket, ['run', '-i', 'busybox'], input);
  assert.equal(ran.code, 3);
  assert.equal(ran.stderr, 'bye\n');
  assert.equal(ran.stdout, `begun\n${input.toUpperCase()}`);
});

test('docker run of a command that is not there exits 127', async (t) => {
  const { socket } = await startEngine(t, {
    ...shouter(),
    containers: {
      ...shouter().containers,
      startContainer: () => {
        throw errors.commandNotFound();
      },
    },
  });
  const ran = await docker(socket, ['run', 'busybox', 'nothing']);
  assert.equal(ran.code, 127, ran.stderr);
});

test('docker run of an image that is not here says how to get it', async (t) => {
  const { socket } = await startEngine(t, {
    containers: {
      createContainer: () => {
        throw errors.imageNotFound({ reference: 'alpine:latest' });
      },
    },
  });
  const ran = await docker(socket, ['run', 'alpine']);
  assert.equal(ran.code, 125);
  assert.match(ran.stderr, /use docker load or docker import/);
});

test('docker run -d, ps and inspect', async (t) => {
  const { socket } = await startEngine(t, shouter());
  assert.equal((await docker(socket, ['run', '-d', 'busybox'])).stdout, `${id}\n`);
  const rows = await docker(socket, ['ps', '--format', '{{.ID}} {{.Image}} {{.Command}} {{.Names}} {{.Ports}}']);
  assert.equal(
    rows.stdout,
    `${id.slice(0, 12)} busybox "sh -c 'echo hi'" eager_hopper 53/udp, 0.0.0.0:8080->80/tcp\n`,
    rows.stderr,
  );
  const shown = await docker(socket, [
    'inspect',
    '-f',
    '{{.State.Status}} {{.NetworkSettings.IPAddress}}',
    'eager_hopper',
  ]);
  assert.equal(shown.stdout, 'running 172.17.0.2\n', shown.stderr);
});

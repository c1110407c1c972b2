import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OpenStreamRequest, StreamPurpose } from '../proto/gen/longshore/daemon/v1/container.ts';
import {
  type CreateExecRequest,
  Exec,
  type ExecSpec,
  type ExecStartRequest,
  type ExecStartResponse,
  ExecState,
} from '../proto/gen/longshore/execdriver/v1/exec.ts';
import { id } from './testing/daemon.ts';
import { errors, type Owners, startEngine } from './testing/engine.ts';
import { ask, askJson, raw } from './testing/http.ts';

type Frame = NonNullable<ExecStartRequest['frame']>;
type Output = NonNullable<ExecStartResponse['frame']>;

/** An exec driver whose exec says each time it is let what comes next, and notes what it is sent. */
function driver(spec: Partial<ExecSpec> = {}, state: ExecState = ExecState.EXEC_STATE_CREATED) {
  const sent: Frame[] = [];
  const output: Output[] = [];
  const made = Exec.fromPartial({
    id: 'e1',
    containerId: id,
    spec: { args: ['sh', '-c', 'date'], attachStdout: true, attachStderr: true, ...spec },
    state,
    exitCode: 3,
  });
  let refusal: Error | undefined;
  let lingering: Promise<void> | undefined;
  let wake = () => {};
  let told = () => {};
  let failure: Error | undefined;
  const cancelled = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const asked: CreateExecRequest[] = [];
  const opened: OpenStreamRequest[] = [];
  const owners: Owners = {
    containers: {
      async openStream(request) {
        opened.push(request);
        return { containerId: id };
      },
    },
    execs: {
      async createExec(request) {
        asked.push(request);
        if (refusal !== undefined && request.containerId === id) throw refusal;
        return {};
      },
      async getExec(request) {
        if (request.id !== 'e1') throw errors.containerNotFound({ container: request.id });
        return { exec: made };
      },
      async *execStart(requests, { signal }) {
        signal.addEventListener('abort', () => {
          cancelled.resolve();
          wake();
        });
        const frames = requests[Symbol.asyncIterator]();
        void (async () => {
          try {
            for (let next = await frames.next(); !next.done; next = await frames.next()) {
              if (next.value.frame) sent.push(next.value.frame);
              told();
            }
            closed.resolve();
          } catch {
            // The call was cancelled.
          }
        })();
        if (refusal !== undefined) throw refusal;
        yield { frame: { $case: 'accepted', value: { exec: made } } };
        while (!signal.aborted) {
          if (failure !== undefined) throw failure;
          const next = output.shift();
          if (next === undefined) await new Promise<void>((resolve) => (wake = resolve));
          else yield { frame: next };
          if (next?.$case === 'exit') await lingering;
          if (next?.$case === 'exit' || (next?.$case === 'ready' && sent[0]?.$case === 'open' && sent[0].value.detach))
            return;
        }
      },
    },
  };
  const say = (...frames: Output[]) => {
    output.push(...frames);
    wake();
  };
  return {
    owners,
    sent,
    asked,
    opened,
    say,
    cancelled: cancelled.promise,
    /** Nothing comes from the gateway any more, and the call goes on. */
    closed: closed.promise,
    begin: () => say({ $case: 'ready', value: { pid: 7 } }),
    text: (stream: 'stdout' | 'stderr', text: string) => say({ $case: stream, value: Buffer.from(text) }),
    exit: (code: number) => say({ $case: 'exit', value: { code } }),
    /** The call does not end with the exit, but when what is returned is called. */
    linger() {
      const { promise, resolve } = Promise.withResolvers<void>();
      lingering = promise;
      return resolve;
    },
    refuse(error: Error | undefined) {
      refusal = error;
    },
    fail(error: Error) {
      failure = error;
      wake();
    },
    async sentSoFar(count: number) {
      while (sent.length < count) await new Promise<void>((resolve) => (told = resolve));
      return sent;
    },
  };
}

const multiplexed = (stream: number, text: string) =>
  Buffer.concat([Buffer.from([stream, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)]);

const json = (body: object) => {
  const text = JSON.stringify(body);
  return `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
};
const upgrading = (body: object) =>
  `POST /v1.51/exec/e1/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n${json(body)}`;
const plain = (body: object) => `POST /v1.51/exec/e1/start HTTP/1.1\r\nHost: d\r\n${json(body)}`;

test('an exec is made for a container that the daemon says can have one, under an id of the gateway', async (t) => {
  const { owners, asked, opened } = driver();
  const { socket } = await startEngine(t, owners);
  const body = {
    AttachStdin: true,
    AttachStdout: true,
    Cmd: ['cat', '-'],
    Env: ['A=1'],
    WorkingDir: '/tmp',
    User: 'dock',
    Tty: true,
    Privileged: true,
    ConsoleSize: [20, 70],
    DetachKeys: 'ctrl-a,b',
  };
  const { status, value } = await askJson(socket, 'POST /containers/web/exec', body);
  assert.equal(status, 201);
  assert.match(value.Id, /^[0-9a-f]{64}$/);
  assert.partialDeepStrictEqual(opened, [{ container: 'web', purpose: StreamPurpose.STREAM_PURPOSE_EXEC }]);
  assert.deepEqual(asked, [
    {
      id: value.Id,
      containerId: id,
      spec: {
        args: ['cat', '-'],
        env: ['A=1'],
        workingDir: '/tmp',
        user: 'dock',
        tty: true,
        openStdin: true,
        privileged: true,
        size: { rows: 20, columns: 70 },
        attachStdout: true,
        attachStderr: false,
        detachKeys: 'ctrl-a,b',
      },
    },
  ]);
  const refused = async (wrong: object) => (await askJson(socket, 'POST /containers/web/exec', wrong)).value.message;
  assert.equal(await refused({}), 'No exec command specified');
  assert.equal(await refused({ Cmd: ['a'], DetachKeys: 'ctrl-1' }), 'Invalid detach keys (ctrl-1) provided');
});

test('for a whole id the daemon is asked only for what speaks against it', async (t) => {
  const { owners, asked, opened, refuse } = driver();
  const { socket } = await startEngine(t, owners);
  const make = () => askJson(socket, `POST /containers/${id}/exec`, { Cmd: ['date'] });
  assert.equal((await make()).status, 201);
  assert.deepEqual([asked.map(({ containerId }) => containerId), opened], [[id], []]);
  refuse(errors.notRunning());
  owners.containers = {
    async openStream() {
      throw errors.nameInUse();
    },
  };
  const { socket: other } = await startEngine(t, owners);
  const refused = await askJson(other, `POST /containers/${id}/exec`, { Cmd: ['date'] });
  assert.deepEqual(refused, { status: 409, value: { message: 'the name is in use' } });
});

test('inspect shows the command apart and the code when there is one', async (t) => {
  const { owners } = driver({ user: 'dock' }, ExecState.EXEC_STATE_EXITED);
  const { socket } = await startEngine(t, owners);
  const { value } = await askJson(socket, 'GET /exec/e1/json');
  assert.deepEqual([value.ID, value.ContainerID, value.Running, value.ExitCode], ['e1', id, false, 3]);
  assert.deepEqual(value.ProcessConfig, {
    tty: false,
    entrypoint: 'sh',
    arguments: ['-c', 'date'],
    privileged: false,
    user: 'dock',
  });
  assert.equal((await ask(socket, 'GET /exec/x/json')).status, 404);
});

for (const [how, request, status] of [
  ['with an upgrade', upgrading({ Detach: false }), 'HTTP/1.1 101 UPGRADED'],
  ['without an upgrade', plain({}), 'HTTP/1.1 200 OK'],
] as const) {
  test(`a start ${how} has its head before the process runs, then input up and both streams down`, async (t) => {
    const exec = driver({ openStdin: true });
    const { socket } = await startEngine(t, exec.owners);
    const client = await raw(socket, request);
    assert.match(client.head, new RegExp(`^${status}\r\nContent-Type: application/vnd.docker.multiplexed-stream`));
    exec.begin();
    client.socket.write('hello\n');
    const [open, input] = await exec.sentSoFar(2);
    assert.ok(open?.$case === 'open');
    assert.deepEqual([open.value.id, open.value.asCreated, open.value.detach], ['e1', true, false]);
    assert.deepEqual(input, { $case: 'stdin', value: Buffer.from('hello\n') });
    client.socket.end();
    assert.equal((await exec.sentSoFar(3))[2]?.$case, 'closeStdin');
    exec.text('stdout', 'out');
    exec.text('stderr', 'error');
    exec.exit(0);
    assert.deepEqual(await client.read(), Buffer.concat([multiplexed(1, 'out'), multiplexed(2, 'error')]));
  });
}

test('where nothing can go in, what goes up ends with its first frame: so the call needs no reset at its end', async (t) => {
  const exec = driver();
  const { socket } = await startEngine(t, exec.owners);
  const client = await raw(socket, upgrading({}));
  exec.begin();
  await exec.closed;
  assert.equal(exec.sent.length, 1);
  exec.text('stdout', 'out');
  exec.exit(0);
  assert.deepEqual(await client.read(), multiplexed(1, 'out'));
});

test('the exit code that came with the output is told at once to who asks', async (t) => {
  const exec = driver();
  const { socket } = await startEngine(t, exec.owners);
  const before = await askJson(socket, 'GET /exec/e1/json');
  assert.deepEqual([before.value.Running, before.value.ExitCode], [false, 3]);
  exec.begin();
  exec.exit(5);
  assert.equal((await ask(socket, 'POST /exec/e1/start', {})).status, 200);
  const { value } = await askJson(socket, 'GET /exec/e1/json');
  assert.deepEqual([value.Running, value.ExitCode, value.Pid, value.ContainerID], [false, 5, 0, id]);
});

test('a client that leaves after the exit cancels nothing: the call ends by itself', async (t) => {
  const exec = driver();
  const { socket } = await startEngine(t, exec.owners);
  const end = exec.linger();
  let isCancelled = false;
  void exec.cancelled.then(() => {
    isCancelled = true;
  });
  const client = await raw(socket, upgrading({}));
  exec.begin();
  exec.exit(0);
  await client.read();
  client.socket.destroy();
  // Whatever the gateway does about that, it has done before it answers the next.
  for (let asked = 0; asked < 5; asked++) assert.equal((await ask(socket, 'GET /exec/e1/json')).status, 200);
  assert.equal(isCancelled, false);
  end();
});

test('a start whose chunked body goes on after its JSON takes the rest as input', async (t) => {
  const exec = driver({ openStdin: true });
  const { socket } = await startEngine(t, exec.owners);
  const client = await raw(
    socket,
    'POST /exec/e1/start HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n',
  );
  assert.match(client.head, /^HTTP\/1.1 200 OK/);
  exec.begin();
  client.socket.write('2\r\nhi\r\n0\r\n\r\n');
  const [, input, close] = await exec.sentSoFar(3);
  assert.deepEqual([input, close?.$case], [{ $case: 'stdin', value: Buffer.from('hi') }, 'closeStdin']);
  exec.exit(0);
  await client.read();
});

test('the start says whether streams come told apart; its terminal has the detach keys of the exec', async (t) => {
  const exec = driver({ tty: true, openStdin: true, detachKeys: 'ctrl-a,b' });
  const { socket } = await startEngine(t, exec.owners);
  const client = await raw(socket, upgrading({ Tty: true, ConsoleSize: [20, 70] }));
  assert.match(client.head, /application\/vnd.docker.raw-stream/);
  exec.begin();
  exec.text('stdout', '$ ');
  assert.equal(String(await client.read(2)), '$ ');
  client.socket.write('x\x01');
  await exec.sentSoFar(2);
  client.socket.write('b');
  assert.equal((await client.read()).length, 0);
  await exec.cancelled;
  const [open, input] = exec.sent;
  assert.ok(open?.$case === 'open');
  assert.deepEqual([open.value.size, open.value.killOnCancel], [{ rows: 20, columns: 70 }, false]);
  assert.deepEqual(input, { $case: 'stdin', value: Buffer.from('x') });
});

test('why a command could not be run is said on its output, or by the status when nobody stays', async (t) => {
  const exec = driver();
  const { socket } = await startEngine(t, exec.owners);
  const client = await raw(socket, upgrading({}));
  exec.fail(errors.commandNotFound());
  const words = 'executable file not found in $PATH';
  assert.deepEqual(await client.read(), multiplexed(1, `${words}\r\n`));
  assert.deepEqual(await askJson(socket, 'POST /exec/e1/start', { Detach: true }), {
    status: 400,
    value: { message: words },
  });
});

test('detached, a start is answered when the process runs', async (t) => {
  const exec = driver();
  const { socket } = await startEngine(t, exec.owners);
  exec.begin();
  assert.deepEqual(
    await ask(socket, 'POST /exec/e1/start', { Detach: true }).then(({ status, text }) => [status, text]),
    [200, ''],
  );
});

test('what the exec driver refuses has its status before anything is taken over', async (t) => {
  const exec = driver();
  const { socket } = await startEngine(t, exec.owners);
  exec.refuse(errors.execStarted());
  const again = await askJson(socket, 'POST /exec/e1/start', {});
  assert.deepEqual(again, { status: 409, value: { message: 'exec command e1 has already run' } });
  exec.refuse(errors.notRunning());
  const ended = await raw(socket, upgrading({}));
  assert.match(ended.head, /^HTTP\/1.1 409/);
  assert.match(String(await ended.read()), /is not running/);
  assert.equal((await ask(socket, 'POST /exec/e1/start', { Detach: true })).status, 409);
});

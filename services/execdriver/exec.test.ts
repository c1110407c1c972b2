import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import {
  ExecEvent,
  type ExecStartRequest,
  ExecState,
  type WatchExecsResponse,
} from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { type Bench, newId, openBench, skip } from './testing/harness.ts';
import { noneRuns, until } from './testing/host.ts';

const stdin = (text: string | Buffer): ExecStartRequest['frame'] => ({ $case: 'stdin', value: Buffer.from(text) });
const closeStdin: ExecStartRequest['frame'] = { $case: 'closeStdin', value: {} };
async function* framesOf(...frames: ExecStartRequest['frame'][]) {
  for (const frame of frames) yield frame;
}

async function stateOf(bench: Bench, id: string) {
  const { exec } = await bench.clients.exec.getExec({ id });
  return { state: exec?.state, code: exec?.exitCode, pid: exec?.pid ?? 0 };
}

/** So many events after a cursor, and the newest cursor. */
async function told(bench: Bench, after: number, count: number) {
  const events: WatchExecsResponse[] & { latest: number } = Object.assign([], { latest: 0 });
  for await (const event of bench.clients.exec.watchExecs({ after })) {
    events.latest = event.latest;
    if (event.cursor > 0) events.push(event);
    if (events.length === count) break;
  }
  return events;
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.catch((thrown: unknown) => thrown);
  return isServiceError(error) ? `${error.reason} ${error.message}` : String(error);
}

/** Once a container has ended, its execs have nothing on the disk: monitors, directories. */
async function nothingIsLeft(bench: Bench, container: string): Promise<void> {
  await bench.clients.process.signalContainer({ id: container, signal: 9 });
  await bench.wait(container);
  await until(() => readdirSync(`${bench.directory}/run/execs`).length === 0, 3000);
}

suite('execs', { skip }, () => {
  test('a further process runs in the container, its streams apart, its exit code told and kept', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000'], { env: ['A=container', 'B=container'] });
    const script = 'echo $A $B $HOSTNAME; echo err >&2; cat /proc/1/cmdline; exit 3';
    const { id, stdout, stderr, code } = await bench.exec(container, ['sh', '-c', script], {
      spec: { env: ['B=exec'] },
    });
    assert.equal(`${stdout}`, 'container exec box\nsleep\u00001000\u0000');
    assert.deepEqual([`${stderr}`, code], ['err\n', 3]);
    assert.deepEqual(await stateOf(bench, id), { state: ExecState.EXEC_STATE_EXITED, code: 3, pid: 0 });
    await nothingIsLeft(bench, container);
  });

  test('input arrives whole, and its end with it', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const input = Buffer.alloc(3_000_000, 'abcdefghijk');
    const { stdout } = await bench.exec(container, ['md5sum'], { stdin: framesOf(stdin(input), closeStdin) });
    assert.equal(`${stdout}`, `${createHash('md5').update(input).digest('hex')}  -\n`);
  });

  test('a terminal gets the size that was asked for', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    // The runtime sets it while the process is starting.
    const script = 'while [ "$(stty size 2>&1)" != "33 99" ]; do sleep 0.01; done; stty size; echo $TERM';
    const open = { size: { rows: 33, columns: 99 } };
    const { stdout, code } = await bench.exec(container, ['sh', '-c', script], {
      spec: { tty: true },
      open,
    });
    assert.deepEqual([`${stdout}`, code], ['33 99\r\nxterm\r\n', 0]);
  });

  test('a terminal gets the size that was asked for while its command was starting', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const id = newId();
    const script = 'while [ "$(stty size 2>&1)" != "21 71" ]; do sleep 0.01; done; echo so';
    const running = bench.exec(container, ['sh', '-c', script], {
      id,
      spec: { tty: true, size: { rows: 9, columns: 9 } },
    });
    const resize = () => bench.clients.exec.resizeExec({ id, rows: 21, columns: 71 });
    await until(async () => (await resize().catch(() => undefined)) !== undefined);
    assert.equal(`${(await running).stdout}`, 'so\r\n');
  });

  test('another user brings groups, home and no capabilities; privileged brings all', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const script = 'id -u; id -G; echo $HOME; pwd; grep CapEff /proc/self/status';
    const { stdout } = await bench.exec(container, ['sh', '-c', script], { spec: { user: 'app', workingDir: '/tmp' } });
    assert.match(`${stdout}`, /^1000\n1000 2000\n\/home\/app\n\/tmp\nCapEff:\t0{16}\n$/);
    const more = await bench.exec(container, ['sh', '-c', 'grep CapEff /proc/self/status; mkdir /tmp/m; echo $?'], {
      spec: { privileged: true },
    });
    assert.doesNotMatch(`${more.stdout}`, /00000000a80425fb/);
    assert.match(
      await failure(bench.exec(container, ['true'], { spec: { user: 'ghost' } })),
      /^UNKNOWN_USER unable to find user ghost/,
    );
  });

  test('the filter holds for further processes too', async () => {
    await using bench = await openBench();
    await bench.init();
    for (let round = 0; round < 2; round++) {
      const container = await bench.run(['sleep', '1000']);
      const { stderr, code } = await bench.exec(container, ['unshare', '-U', 'true']);
      assert.match(`${stderr}`, /Operation not permitted/);
      assert.equal(code, 1);
    }
  });

  test('a command that is missing or may not be run is told by error and code', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const [missing, forbidden] = [newId(), newId()];
    assert.match(
      await failure(bench.exec(container, ['nosuch'], { id: missing })),
      /^COMMAND_NOT_FOUND OCI runtime exec failed: exec failed: .*exec: "nosuch": executable file not found in \$PATH: unknown$/,
    );
    assert.match(
      await failure(bench.exec(container, ['/etc/notexec'], { id: forbidden })),
      /^COMMAND_NOT_EXECUTABLE .*permission denied/,
    );
    assert.deepEqual([(await stateOf(bench, missing)).code, (await stateOf(bench, forbidden)).code], [127, 126]);
    assert.match(
      await failure(bench.exec(container, ['true'], { spec: { workingDir: '/nowhere' } })),
      /no such file or directory/i,
    );
    await nothingIsLeft(bench, container);
  });

  test('an exec is started once, and only in a running container', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const { id } = await bench.exec(container, ['true']);
    assert.match(await failure(bench.exec(container, ['true'], { id })), /^EXEC_STARTED/);
    assert.match(await failure(bench.exec(container, ['false'], { id })), /^EXEC_EXISTS/);
    await bench.clients.process.pauseContainer({ id: container });
    assert.match(await failure(bench.exec(container, ['true'])), /^CONTAINER_PAUSED/);
    await bench.clients.process.signalContainer({ id: container, signal: 9 });
    await bench.wait(container);
    assert.match(await failure(bench.exec(container, ['true'])), /^NOT_RUNNING/);
    assert.match(await failure(bench.exec(newId(), ['true'])), /^CONTAINER_NOT_FOUND/);
  });

  test('detached it goes on by itself; signalled it ends', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const { id } = await bench.exec(container, ['sleep', '1000'], { open: { detach: true } });
    const { state, pid } = await stateOf(bench, id);
    assert.deepEqual([state, pid > 0], [ExecState.EXEC_STATE_RUNNING, true]);
    await bench.clients.exec.signalExec({ id, signal: 15 });
    await bench.clients.exec.signalExec({ id, signal: 9 });
    await until(async () => (await stateOf(bench, id)).state === ExecState.EXEC_STATE_EXITED);
    assert.match(`${(await stateOf(bench, id)).code}`, /^(143|137)$/);
  });

  test('cancelled, it goes on, or is killed if so wished', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    for (const killOnCancel of [false, true]) {
      const [id, abort] = [newId(), new AbortController()];
      const call = bench.exec(container, ['sleep', '1000'], { id, open: { killOnCancel }, signal: abort.signal });
      call.catch(() => {});
      await until(
        async () => (await stateOf(bench, id).catch(() => undefined))?.state === ExecState.EXEC_STATE_RUNNING,
      );
      await until(async () => (await stateOf(bench, id)).pid > 0);
      abort.abort();
      await call.catch(() => {});
      if (killOnCancel) await until(async () => (await stateOf(bench, id)).code === 137);
      else assert.equal((await stateOf(bench, id)).state, ExecState.EXEC_STATE_RUNNING);
    }
  });

  test('execs survive the death of the service, and their codes too', async () => {
    await using bench = await openBench({ serviceElsewhere: true });
    await bench.startElsewhere();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const script = 'while [ ! -e /tmp/go ]; do sleep 0.02; done; exit 6';
    const [early, late] = [newId(), newId()];
    await bench.exec(container, ['sh', '-c', `: ${early}; sleep 0.2; exit 4`], { id: early, open: { detach: true } });
    await bench.exec(container, ['sh', '-c', script], { id: late, open: { detach: true } });
    await bench.killElsewhere();
    await noneRuns(`: ${early};`);
    await bench.startElsewhere();
    assert.equal((await stateOf(bench, early)).code, 4);
    assert.equal((await stateOf(bench, late)).state, ExecState.EXEC_STATE_RUNNING);
    await bench.exec(container, ['touch', '/tmp/go']);
    await until(async () => (await stateOf(bench, late)).code === 6);
  });

  test('making, start and end are told in order, those too that came while the service was down', async () => {
    await using bench = await openBench({ serviceElsewhere: true });
    await bench.startElsewhere();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    await bench.exec(container, ['true'], { id: newId() });
    const before = await told(bench, 0, 0);
    const id = newId();
    await bench.exec(container, ['sh', '-c', `: ${id}; sleep 0.2; exit 4`], { id, open: { detach: true } });
    await bench.killElsewhere();
    await noneRuns(`: ${id};`);
    await bench.startElsewhere();
    const [made, started, ended] = await told(bench, before.latest, 3);
    assert.deepEqual(
      [made?.event, started?.event, ended?.event, ended?.exec?.exitCode],
      [ExecEvent.EXEC_EVENT_CREATED, ExecEvent.EXEC_EVENT_STARTED, ExecEvent.EXEC_EVENT_EXITED, 4],
    );
    // A container that is removed takes a running one along, and that is told as well.
    await bench.exec(container, ['sleep', '1000'], { id: newId(), open: { detach: true } });
    const { latest } = await told(bench, 0, 0);
    await bench.clients.process.signalContainer({ id: container, signal: 9 });
    const [killed] = await told(bench, latest, 1);
    assert.deepEqual([killed?.event, killed?.exec?.exitCode], [ExecEvent.EXEC_EVENT_EXITED, 137]);
  });

  test('a container takes its execs with it', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const exec = newId();
    const running = bench.exec(container, ['sleep', '1000'], { id: exec });
    await until(async () => (await stateOf(bench, exec).catch(() => ({ pid: 0 }))).pid > 0);
    await bench.clients.process.signalContainer({ id: container, signal: 9 });
    const { id, code } = await running;
    assert.equal(code, 137);
    await bench.wait(container);
    await bench.clients.process.removeContainer({ id: container });
    assert.match(await failure(bench.clients.exec.getExec({ id })), /^EXEC_NOT_FOUND/);
  });
});

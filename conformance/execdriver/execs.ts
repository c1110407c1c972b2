import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { type ExecOpen, ExecState } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { assertRepeatable } from '../common/repeats.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import type { Current } from './bench.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

/** Further processes in running containers. */
export function execSuite(current: Current): void {
  const made = async (containerId: string, args: string[], openStdin = false) => {
    const id = newId();
    await current().execs.createExec({ id, containerId, spec: { args, openStdin, env: ['PATH=/bin'] } });
    return id;
  };
  const started = (id: string, wish: Partial<ExecOpen> = {}, input: string[] = []) => {
    async function* frames() {
      const stdin = input.length > 0;
      yield { frame: { $case: 'open', value: { id, stdin, stdout: true, stderr: true, ...wish } } } as const;
      for (const text of input) yield { frame: { $case: 'stdin', value: Buffer.from(text) } } as const;
    }
    return current().execs.execStart(frames());
  };
  const finished = async (messages: ReturnType<typeof started>) => {
    const frames = (await Array.fromAsync(messages)).map(({ frame }) => frame);
    const of = (stream: 'stdout' | 'stderr') =>
      frames.map((frame) => (frame?.$case === stream ? frame.value.toString() : '')).join('');
    const last = frames.at(-1);
    const code = last?.$case === 'exit' ? last.value.code : undefined;
    return { first: frames[0]?.$case, stdout: of('stdout'), stderr: of('stderr'), code };
  };
  const stateOf = async (id: string) => (await current().execs.getExec({ id })).exec?.state;
  const host = () => current().run(['sleep', '600']);

  describe('execdriver: execs', () => {
    test('CreateExec makes one for a running container; repeated it is ALREADY', async () => {
      const { execs, remove } = current();
      const [containerId, id] = [await host(), newId()];
      const request = { id, containerId, spec: { args: ['true'] } };
      assert.equal((await execs.createExec(request)).outcome, OUTCOME_DONE);
      assert.equal((await execs.createExec(request)).outcome, OUTCOME_ALREADY);
      const { exec } = await execs.getExec({ id });
      assert.deepEqual([exec?.id, exec?.containerId, exec?.spec?.args], [id, containerId, ['true']]);
      assert.deepEqual([exec?.state, exec?.pid, exec?.exitCode], [ExecState.EXEC_STATE_CREATED, 0, undefined]);
      await remove(containerId);
    });

    test('one for what does not run is NOT_RUNNING, for what is not known CONTAINER_NOT_FOUND', async () => {
      const { execs, run, exit, remove } = current();
      const containerId = await run(['true']);
      await exit(containerId);
      const spec = { args: ['true'] };
      await refused(execs.createExec({ id: newId(), containerId, spec }), 'FAILED_PRECONDITION', 'NOT_RUNNING');
      const unknown = execs.createExec({ id: newId(), containerId: newId(), spec });
      await refused(unknown, 'NOT_FOUND', 'CONTAINER_NOT_FOUND');
      await remove(containerId);
    });

    test('one by a user that is not in the container’s passwd is UNKNOWN_USER', async () => {
      const { execs, remove } = current();
      const containerId = await host();
      const spec = { args: ['true'], user: 'no-such-user' };
      await refused(execs.createExec({ id: newId(), containerId, spec }), 'INVALID_ARGUMENT', 'UNKNOWN_USER');
      await remove(containerId);
    });

    test('a repeat by request id gets the same answer; the id with another request is REQUEST_ID_REUSED', async () => {
      const { execs, remove } = current();
      const [containerId, id] = [await host(), newId()];
      const request = { id, containerId, spec: { args: ['true'] } };
      const answer = await assertRepeatable(execs.createExec, request, { ...request, id: newId() });
      assert.equal(answer.outcome, OUTCOME_DONE);
      await remove(containerId);
    });

    test('ExecStart begins with ready and ends with the exit, after the streams', async () => {
      const { execs, remove } = current();
      const containerId = await host();
      const id = await made(containerId, ['sh', '-c', 'echo out; echo err >&2; exit 3']);
      assert.deepEqual(await finished(started(id)), { first: 'ready', stdout: 'out\n', stderr: 'err\n', code: 3 });
      const { exec } = await execs.getExec({ id });
      assert.deepEqual([exec?.state, exec?.pid, exec?.exitCode], [ExecState.EXEC_STATE_EXITED, 0, 3]);
      await remove(containerId);
    });

    test('as created, it has the streams of its spec, and is accepted before it is ready', async () => {
      const { execs, remove } = current();
      const [containerId, id] = [await host(), newId()];
      const args = ['sh', '-c', 'echo out; echo err >&2'];
      const spec = { args, env: ['PATH=/bin'], attachStderr: true };
      await execs.createExec({ id, containerId, spec });
      const frames = await Array.fromAsync(started(id, { asCreated: true }), ({ frame }) => frame);
      const [accepted, ready] = frames;
      assert.ok(accepted?.$case === 'accepted');
      assert.deepEqual([accepted.value.exec?.id, accepted.value.exec?.containerId], [id, containerId]);
      assert.deepEqual(accepted.value.exec?.spec?.args, args);
      const rest = frames.slice(2).map((frame) => frame?.$case);
      assert.deepEqual([ready?.$case, rest], ['ready', ['stderr', 'exit']]);
      await refused(started(id, { asCreated: true }), 'FAILED_PRECONDITION', 'EXEC_STARTED');
      await remove(containerId);
    });

    test('its input reaches it, and the end of that too', async () => {
      const containerId = await host();
      const id = await made(containerId, ['cat'], true);
      const { stdout, code } = await finished(started(id, {}, ['one ', 'two']));
      assert.deepEqual([stdout, code], ['one two', 0]);
      await current().remove(containerId);
    });

    test('with detach the call ends when the process runs', async () => {
      const { execs, remove } = current();
      const containerId = await host();
      const id = await made(containerId, ['sleep', '600']);
      const { first, code } = await finished(started(id, { detach: true }));
      assert.deepEqual([first, code], ['ready', undefined]);
      assert.equal(await stateOf(id), ExecState.EXEC_STATE_RUNNING);
      assert.equal((await execs.signalExec({ id, signal: 9 })).outcome, OUTCOME_DONE);
      await remove(containerId);
    });

    test('it is started once: FAILED_PRECONDITION, EXEC_STARTED', async () => {
      const containerId = await host();
      const id = await made(containerId, ['true']);
      await finished(started(id));
      await refused(started(id), 'FAILED_PRECONDITION', 'EXEC_STARTED');
      await current().remove(containerId);
    });

    test('a command that is not there is NOT_FOUND, COMMAND_NOT_FOUND; its exit code is 127', async () => {
      const { execs, remove } = current();
      const containerId = await host();
      const id = await made(containerId, ['no-such-command']);
      await refused(started(id), 'NOT_FOUND', 'COMMAND_NOT_FOUND');
      assert.equal((await execs.getExec({ id })).exec?.exitCode, 127);
      await remove(containerId);
    });

    test('in a paused container it is FAILED_PRECONDITION, CONTAINER_PAUSED', async () => {
      const { processes, remove } = current();
      const containerId = await host();
      const id = await made(containerId, ['true']);
      await processes.pauseContainer({ id: containerId });
      await refused(started(id), 'FAILED_PRECONDITION', 'CONTAINER_PAUSED');
      await processes.resumeContainer({ id: containerId });
      await remove(containerId);
    });

    test('what is not known is EXEC_NOT_FOUND; a signal to what does not live is ABSENT', async () => {
      const { execs } = current();
      await refused(execs.getExec({ id: newId() }), 'NOT_FOUND', 'EXEC_NOT_FOUND');
      await refused(started(newId()), 'NOT_FOUND', 'EXEC_NOT_FOUND');
      assert.equal((await execs.signalExec({ id: newId(), signal: 15 })).outcome, OUTCOME_ABSENT);
    });

    test('ListExecs gives those of one container, or all', async () => {
      const { execs, remove } = current();
      const [one, two] = [await host(), await host()];
      const [first, second] = [await made(one, ['true']), await made(two, ['true'])];
      const list = async (containerId: string) =>
        (await Array.fromAsync(execs.listExecs({ containerId }))).map(({ exec }) => exec?.id);
      assert.deepEqual(await list(one), [first]);
      const all = await list('');
      for (const id of [first, second]) assert(all.includes(id));
      await remove(one, two);
      assert(!(await list('')).includes(first));
    });

    test('an exec ends with its container', async () => {
      const { processes, exit } = current();
      const containerId = await host();
      const id = await made(containerId, ['sleep', '600']);
      const codes: number[] = [];
      for await (const { frame } of started(id)) {
        if (frame?.$case === 'ready') await processes.signalContainer({ id: containerId, signal: 9 });
        if (frame?.$case === 'exit') codes.push(frame.value.code);
      }
      assert.deepEqual(codes, [137]);
      await exit(containerId);
      await current().remove(containerId);
    });
  });

  describe('execdriver: probes', () => {
    const probe = (containerId: string, args: string[], wish: { timeoutMs?: number; outputLimit?: number } = {}) =>
      current().execs.runProbe({
        containerId,
        spec: { args, env: ['PATH=/bin'] },
        timeoutNs: BigInt(wish.timeoutMs ?? 20_000) * 1_000_000n,
        outputLimit: wish.outputLimit ?? 4096,
      });

    test('RunProbe gives the exit code and what was written; nobody can list it', async () => {
      const containerId = await host();
      const { exitCode, output, outputCut } = await probe(containerId, ['sh', '-c', 'echo out; exit 3']);
      assert.deepEqual([exitCode, Buffer.from(output).toString(), outputCut], [3, 'out\n', false]);
      assert.deepEqual(await Array.fromAsync(current().execs.listExecs({ containerId })), []);
      await current().remove(containerId);
    });

    test('of more output than wanted it gives the beginning, and says so', async () => {
      const containerId = await host();
      const { output, outputCut } = await probe(containerId, ['echo', 'long'], { outputLimit: 2 });
      assert.deepEqual([Buffer.from(output).toString(), outputCut], ['lo', true]);
      await current().remove(containerId);
    });

    test('at the timeout it is killed and has no exit code', async () => {
      const containerId = await host();
      const script = ['sh', '-c', 'echo begun; sleep 600'];
      const { exitCode, output } = await probe(containerId, script, { timeoutMs: 300 });
      assert.deepEqual([exitCode, Buffer.from(output).toString()], [undefined, 'begun\n']);
      await current().remove(containerId);
    });

    test('its errors are those of an exec', async () => {
      const { processes, remove, run, exit } = current();
      const containerId = await host();
      await refused(probe(containerId, ['no-such-command']), 'NOT_FOUND', 'COMMAND_NOT_FOUND');
      await refused(probe(containerId, ['true'], { timeoutMs: 0 }), 'INVALID_ARGUMENT', 'BAD_SPEC');
      await refused(probe(newId(), ['true']), 'NOT_FOUND', 'CONTAINER_NOT_FOUND');
      await processes.pauseContainer({ id: containerId });
      await refused(probe(containerId, ['true']), 'FAILED_PRECONDITION', 'CONTAINER_PAUSED');
      await processes.resumeContainer({ id: containerId });
      const ended = await run(['true']);
      await exit(ended);
      await refused(probe(ended, ['true']), 'FAILED_PRECONDITION', 'NOT_RUNNING');
      await remove(containerId, ended);
    });
  });
}

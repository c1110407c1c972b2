import assert from 'node:assert/strict';
import { rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { HostServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/host.ts';
import { ProcessState } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { assertRepeatable } from '../common/repeats.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import type { Current, SpecWish } from './bench.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY } = Outcome;

/** How containers start, and why they do not. */
export function startSuite(target: { isLocal?: boolean }, current: Current): void {
  const start = (id: string, args: readonly string[], generation = 1, wish: SpecWish = {}) =>
    current().processes.startContainer({ id, generation, spec: current().spec(args, wish) });
  const isAbsent = (id: string) =>
    refused(current().processes.getContainer({ id }), 'NOT_FOUND', 'CONTAINER_NOT_FOUND');

  describe('execdriver: start', () => {
    test('StartContainer starts the init and says what it is', async () => {
      const { processes, remove } = current();
      const id = newId();
      const { outcome, process } = await start(id, ['sleep', '600']);
      assert.equal(outcome, OUTCOME_DONE);
      assert.deepEqual([process?.id, process?.generation], [id, 1]);
      assert.equal(process?.state, ProcessState.PROCESS_STATE_RUNNING);
      assert(process.pid > 0);
      assert(process.startedAtNs > 0n);
      assert.equal(process.exit, undefined);
      assert.notEqual(process.bootId, '');
      assert.deepEqual((await processes.getContainer({ id })).process, process);
      await remove(id);
    });

    test('a process tells the AppArmor profile that confines it, where the kernel has AppArmor', async () => {
      const { session, remove } = current();
      const { apparmor } = await session.connection.client(HostServiceDefinition).probe({});
      for (const [confinement, profile] of [
        [{}, /./],
        [{ apparmor: 'unconfined' }, /^unconfined$/],
        [{ privileged: true }, /^unconfined$/],
      ] as const) {
        const id = newId();
        const { process } = await start(id, ['sleep', '600'], 1, { confinement });
        assert.match(process?.apparmorProfile ?? '', apparmor ? profile : /^$/);
        await remove(id);
      }
    });

    test('a repeated start of the same generation is ALREADY, while it runs and after', async () => {
      const { processes, exit, remove } = current();
      const id = newId();
      const { process } = await start(id, ['sleep', '600']);
      const again = await start(id, ['sleep', '600']);
      assert.deepEqual([again.outcome, again.process?.pid], [OUTCOME_ALREADY, process?.pid]);
      await processes.signalContainer({ id, signal: 9 });
      await exit(id);
      const late = await start(id, ['sleep', '600']);
      assert.deepEqual([late.outcome, late.process?.state], [OUTCOME_ALREADY, ProcessState.PROCESS_STATE_EXITED]);
      await remove(id);
    });

    test('a higher generation starts it again; the older is FAILED_PRECONDITION, STALE_GENERATION', async () => {
      const { exit, remove } = current();
      const id = newId();
      await start(id, ['sh', '-c', 'exit 1']);
      assert.equal((await exit(id, 1))?.code, 1);
      assert.equal((await start(id, ['sh', '-c', 'exit 2'], 2)).outcome, OUTCOME_DONE);
      assert.equal((await exit(id, 2))?.code, 2);
      await refused(start(id, ['true'], 1), 'FAILED_PRECONDITION', 'STALE_GENERATION');
      await remove(id);
    });

    test('a higher generation of one that runs is refused: FAILED_PRECONDITION', async () => {
      const { remove } = current();
      const id = newId();
      await start(id, ['sleep', '600']);
      await refused(start(id, ['true'], 2), 'FAILED_PRECONDITION');
      await remove(id);
    });

    test('a repeat by request id gets the same answer; the id with another request is REQUEST_ID_REUSED', async () => {
      const { processes, spec, exit, remove } = current();
      const id = newId();
      const request = { id, generation: 1, spec: spec(['sleep', '600']) };
      const started = await assertRepeatable(processes.startContainer, request, { ...request, generation: 2 });
      assert.equal(started.outcome, OUTCOME_DONE);
      const killed = await assertRepeatable(processes.signalContainer, { id, signal: 9 }, { id, signal: 15 });
      assert.equal(killed.outcome, OUTCOME_DONE);
      await exit(id);
      const removed = await assertRepeatable(processes.removeContainer, { id }, { id, keepLogs: true });
      assert.equal(removed.outcome, OUTCOME_DONE);
      await remove(id);
    });

    test('a command that is not there is NOT_FOUND, COMMAND_NOT_FOUND, and nothing is left', async () => {
      for (const command of ['no-such-command', '/no/such/command']) {
        const id = newId();
        const refusal = await refused(start(id, [command]), 'NOT_FOUND', 'COMMAND_NOT_FOUND');
        assert(refusal.message.includes(command), refusal.message);
        await isAbsent(id);
      }
    });

    test('one that may not be run is FAILED_PRECONDITION, COMMAND_NOT_EXECUTABLE, and nothing is left', async () => {
      const id = newId();
      await refused(start(id, ['/etc']), 'FAILED_PRECONDITION', 'COMMAND_NOT_EXECUTABLE');
      await isAbsent(id);
    });

    test('a user that is not in the container’s passwd is INVALID_ARGUMENT, UNKNOWN_USER', async () => {
      const id = newId();
      await refused(start(id, ['true'], 1, { user: 'no-such-user' }), 'INVALID_ARGUMENT', 'UNKNOWN_USER');
      await isAbsent(id);
    });

    test('a spec without a command or an absolute root is INVALID_ARGUMENT, BAD_SPEC', async () => {
      const { processes } = current();
      await refused(start(newId(), []), 'INVALID_ARGUMENT', 'BAD_SPEC');
      await refused(start(newId(), ['true'], 1, { rootPath: 'relative' }), 'INVALID_ARGUMENT', 'BAD_SPEC');
      await refused(processes.startContainer({ id: newId(), generation: 1 }), 'INVALID_ARGUMENT', 'BAD_SPEC');
    });

    test('a sysctl under net. needs a network namespace that is joined: INVALID_ARGUMENT, BAD_SPEC', async () => {
      const id = newId();
      const sysctls = { 'net.ipv4.ip_forward': '1' };
      await refused(start(id, ['true'], 1, { sysctls }), 'INVALID_ARGUMENT', 'BAD_SPEC');
      await isAbsent(id);
    });

    test('a bind whose source is missing is BAD_SPEC, unless it is to be made', { skip: !target.isLocal }, async () => {
      const source = join(tmpdir(), `conformance-${newId().slice(0, 12)}`);
      const mount = { type: 'bind', source: join(source, 'deep'), destination: '/data' };
      const refusal = await refused(start(newId(), ['true'], 1, { mounts: [mount] }), 'INVALID_ARGUMENT', 'BAD_SPEC');
      assert.match(refusal.message, /bind source path does not exist: .*deep/);
      const id = await current().run(['true'], { mounts: [{ ...mount, createSource: true }] });
      assert.equal((await stat(mount.source)).mode & 0o777, 0o755);
      await current().exit(id);
      await current().remove(id);
      await rm(source, { recursive: true });
    });

    test('an id that is not 64 hex digits is INVALID_ARGUMENT', async () => {
      await refused(start('short', ['true']), 'INVALID_ARGUMENT');
    });

    test('a start that failed can be tried again with the same generation', async () => {
      const { exit, remove } = current();
      const id = newId();
      await refused(start(id, ['no-such-command']), 'NOT_FOUND', 'COMMAND_NOT_FOUND');
      assert.equal((await start(id, ['true'])).outcome, OUTCOME_DONE);
      assert.equal((await exit(id))?.code, 0);
      await remove(id);
    });
  });
}

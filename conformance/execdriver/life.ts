import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { ProcessState } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { newId, type Target } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import type { Current } from './bench.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;
const [sigterm, sigkill] = [15, 9];

/** From the start to the removal. */
export function lifeSuite(target: Target, current: Current): void {
  const stateOf = async (id: string) => (await current().processes.getContainer({ id })).process?.state;

  describe('execdriver: signals, exits and removal', () => {
    test('WaitContainer answers with the exit, of the dead too, and nothing comes before it', async () => {
      const { processes, run, remove } = current();
      const id = await run(['sh', '-c', 'exit 7']);
      for (const generation of [0, 1, 0]) {
        const answers = await Array.fromAsync(processes.waitContainer({ id, generation }));
        assert.equal(answers.length, 1);
        const [{ exit, generation: ended } = {}] = answers;
        assert.deepEqual([exit?.code, exit?.oomKilled, exit?.unknown, ended], [7, false, false, 1]);
        assert((exit?.timeNs ?? 0n) > 0n);
      }
      const { process } = await processes.getContainer({ id });
      assert.deepEqual([process?.state, process?.pid], [ProcessState.PROCESS_STATE_EXITED, 0]);
      assert.equal(process?.exit?.code, 7);
      await remove(id);
    });

    test('waiting for a generation that is not started yet waits for it', async () => {
      const { processes, spec, run, exit, remove } = current();
      const id = await run(['sh', '-c', 'exit 1']);
      await exit(id);
      const waiting = exit(id, 2);
      await processes.startContainer({ id, generation: 2, spec: spec(['sh', '-c', 'exit 2']) });
      assert.equal((await waiting)?.code, 2);
      await remove(id);
    });

    test('a wait ends at its deadline, and the container goes on', async () => {
      const { processes, run, remove } = current();
      const id = await run(['sleep', '600']);
      await refused(processes.waitContainer({ id }, { deadline: 100 }), 'DEADLINE_EXCEEDED');
      assert.equal(await stateOf(id), ProcessState.PROCESS_STATE_RUNNING);
      await remove(id);
    });

    test('what is not known is NOT_FOUND, CONTAINER_NOT_FOUND', async () => {
      const { processes } = current();
      await refused(processes.getContainer({ id: newId() }), 'NOT_FOUND', 'CONTAINER_NOT_FOUND');
      await refused(processes.waitContainer({ id: newId() }), 'NOT_FOUND', 'CONTAINER_NOT_FOUND');
    });

    test('SignalContainer ends it: 128 + n', async () => {
      const { processes, run, exit, remove } = current();
      const id = await run(['sleep', '600']);
      assert.equal((await processes.signalContainer({ id, signal: sigkill })).outcome, OUTCOME_DONE);
      const fact = await exit(id);
      assert.deepEqual([fact?.code, fact?.oomKilled], [137, false]);
      await remove(id);
    });

    test('a signal to what has no living init is ABSENT', async () => {
      const { processes, run, exit, remove } = current();
      const id = await run(['true']);
      await exit(id);
      assert.equal((await processes.signalContainer({ id, signal: sigterm })).outcome, OUTCOME_ABSENT);
      assert.equal((await processes.signalContainer({ id: newId(), signal: sigterm })).outcome, OUTCOME_ABSENT);
      await remove(id);
    });

    test('PauseContainer freezes and ResumeContainer thaws; ALREADY when it is so', async () => {
      const { processes, run, remove } = current();
      const id = await run(['sleep', '600']);
      assert.equal((await processes.pauseContainer({ id })).outcome, OUTCOME_DONE);
      assert.equal((await processes.pauseContainer({ id })).outcome, OUTCOME_ALREADY);
      assert.equal(await stateOf(id), ProcessState.PROCESS_STATE_PAUSED);
      assert.equal((await processes.resumeContainer({ id })).outcome, OUTCOME_DONE);
      assert.equal((await processes.resumeContainer({ id })).outcome, OUTCOME_ALREADY);
      assert.equal(await stateOf(id), ProcessState.PROCESS_STATE_RUNNING);
      await remove(id);
    });

    test('SIGKILL ends a paused container', async () => {
      const { processes, run, exit, remove } = current();
      const id = await run(['sleep', '600']);
      await processes.pauseContainer({ id });
      await processes.signalContainer({ id, signal: sigkill });
      assert.equal((await exit(id))?.code, 137);
      await remove(id);
    });

    test('what does not run is not paused: FAILED_PRECONDITION, NOT_RUNNING', async () => {
      const { processes, run, exit, remove } = current();
      const id = await run(['true']);
      await exit(id);
      await refused(processes.pauseContainer({ id }), 'FAILED_PRECONDITION', 'NOT_RUNNING');
      await refused(processes.resumeContainer({ id }), 'FAILED_PRECONDITION', 'NOT_RUNNING');
      await remove(id);
    });

    test('RemoveContainer forgets the dead; absent is success', async () => {
      const { processes, run, exit } = current();
      const id = await run(['true']);
      await exit(id);
      assert.equal((await processes.removeContainer({ id })).outcome, OUTCOME_DONE);
      await refused(processes.getContainer({ id }), 'NOT_FOUND', 'CONTAINER_NOT_FOUND');
      assert.equal((await processes.removeContainer({ id })).outcome, OUTCOME_ABSENT);
    });

    test('one whose init lives is not removed: FAILED_PRECONDITION, RUNNING', async () => {
      const { processes, run, remove } = current();
      const id = await run(['sleep', '600']);
      await refused(processes.removeContainer({ id }), 'FAILED_PRECONDITION', 'RUNNING');
      assert.equal(await stateOf(id), ProcessState.PROCESS_STATE_RUNNING);
      await remove(id);
    });

    test('ListContainers gives each once, the dead too', async () => {
      const { processes, run, exit, remove } = current();
      const [living, dead] = [await run(['sleep', '600']), await run(['true'])];
      await exit(dead);
      const listed = await Array.fromAsync(processes.listContainers({}));
      const states = Object.fromEntries(listed.map(({ process }) => [process?.id, process?.state]));
      assert.equal(listed.length, Object.keys(states).length);
      assert.equal(states[living], ProcessState.PROCESS_STATE_RUNNING);
      assert.equal(states[dead], ProcessState.PROCESS_STATE_EXITED);
      await remove(living, dead);
    });

    test('Drain ends the processes of every container that is not in `keep`', async () => {
      const { control, processes, run, exit, remove, reinit } = current();
      const [kept, gone] = [await run(['sleep', '600']), await run(['sleep', '600'])];
      assert.deepEqual((await control.drain({ keep: [kept] })).problems, []);
      await reinit();
      assert.equal(await stateOf(kept), ProcessState.PROCESS_STATE_RUNNING);
      const listed = await Array.fromAsync(processes.listContainers({}));
      const left = listed.find(({ process }) => process?.id === gone)?.process;
      if (left !== undefined) assert.equal((await exit(gone))?.code, 137);
      await remove(kept, gone);
    });

    test('with no container left living, no cgroup of the engine’s own stays', { skip: !target.isLocal }, async () => {
      const { control, session, run, remove, reinit } = current();
      const id = await run(['sleep', '600']);
      assert.notDeepEqual(cgroupsOf(session.fence().engineId), []);
      await control.drain({});
      assert.deepEqual(cgroupsOf(session.fence().engineId), []);
      await reinit();
      await remove(id);
    });

    const needsRestart = { skip: target.restart === undefined };

    test('containers go on while it is restarted, and are adopted', needsRestart, async () => {
      const { processes, run, exit, remove } = current();
      const id = await run(['sleep', '600']);
      const before = (await processes.getContainer({ id })).process;
      await target.restart?.();
      assert.deepEqual((await processes.getContainer({ id })).process, before);
      await processes.signalContainer({ id, signal: sigkill });
      assert.equal((await exit(id))?.code, 137);
      await remove(id);
    });

    test(
      'the exits of those that died meanwhile are collected; exit facts last until removal',
      needsRestart,
      async () => {
        const { run, exit, remove } = current();
        const [dead, dying] = [await run(['sh', '-c', 'exit 5']), await run(['sh', '-c', 'sleep 0.2; exit 6'])];
        await exit(dead);
        await target.restart?.();
        assert.equal((await exit(dead))?.code, 5);
        assert.equal((await exit(dying))?.code, 6);
        await target.restart?.();
        assert.equal((await exit(dying))?.code, 6);
        await remove(dead, dying);
      },
    );
  });
}

/** The engine's own cgroups, in all hierarchies there are. */
function cgroupsOf(engineId: string): string[] {
  const name = `longshore-${engineId.slice(0, 12)}`;
  const root = '/sys/fs/cgroup';
  const hierarchies = [
    '',
    ...readdirSync(root, { withFileTypes: true }).flatMap((each) => (each.isDirectory() ? [each.name] : [])),
  ];
  return hierarchies.map((each) => join(root, each, name)).filter((path) => existsSync(path));
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import type { Current } from './bench.ts';

/** What running containers use. */
export function usageSuite(current: Current): void {
  describe('execdriver: usage', () => {
    test('WatchUsage gives one sample at once, and with `once` no more', async () => {
      const { usage, run, remove } = current();
      const id = await run(['sleep', '600']);
      const samples = await Array.fromAsync(usage.watchUsage({ id, once: true }));
      assert.equal(samples.length, 1);
      const [{ usage: sample } = {}] = samples;
      assert(sample);
      assert(sample.timeNs > 0n);
      assert(sample.cpus > 0);
      assert(sample.pids >= 1);
      assert(sample.memoryLimit > 0);
      await remove(id);
    });

    test('without it a sample comes each second, until the container’s exit', async () => {
      const { usage, processes, run, remove } = current();
      const id = await run(['sleep', '600']);
      let count = 0;
      for await (const { usage: sample } of usage.watchUsage({ id })) {
        assert(sample);
        count += 1;
        if (count === 2) await processes.signalContainer({ id, signal: 9 });
      }
      assert(count >= 2);
      await remove(id);
    });

    test('with options ListProcesses gives what the host’s ps shows of them; what ps refuses is BAD_PS_OPTIONS', async () => {
      const { usage, processes, run, remove } = current();
      const id = await run(['sleep', '600']);
      const { process } = await processes.getContainer({ id });
      const { titles, rows } = await usage.listProcesses({ id, psOptions: ['-eo', 'pid,args'] });
      assert.deepEqual(titles, ['PID', 'COMMAND']);
      assert.deepEqual(
        rows.map(({ cells }) => cells[0]),
        [String(process?.pid)],
      );
      await refused(usage.listProcesses({ id, psOptions: ['--no-such-option'] }), 'INVALID_ARGUMENT', 'BAD_PS_OPTIONS');
      await remove(id);
    });

    test('ListProcesses gives the container’s processes, as the host sees them', async () => {
      const { usage, processes, run, remove } = current();
      const id = await run(['sleep', '600']);
      const { process } = await processes.getContainer({ id });
      // Until its exec it is the runtime still, and right after it ps gives its name in brackets.
      const patience = AbortSignal.timeout(5_000);
      let { processes: listed } = await usage.listProcesses({ id });
      while (!listed[0]?.command.startsWith('sleep') && !patience.aborted) {
        listed = (await usage.listProcesses({ id })).processes;
      }
      assert.equal(listed.length, 1);
      assert.equal(listed[0]?.pid, process?.pid);
      assert.match(listed[0]?.command ?? '', /sleep 600/);
      assert.equal(listed[0]?.user, 'root');
      await remove(id);
    });

    test('UpdateResources changes what is given; the rest stays', async () => {
      const { usage, run, remove } = current();
      const id = await run(['sleep', '600'], { resources: { memory: 64 * 1024 * 1024 } });
      const limit = async () => {
        const [sample] = await Array.fromAsync(usage.watchUsage({ id, once: true }));
        return sample?.usage?.memoryLimit;
      };
      assert.equal(await limit(), 64 * 1024 * 1024);
      const changed = await usage.updateResources({ id, resources: { cpuShares: 512 } });
      assert.equal(changed.outcome, Outcome.OUTCOME_DONE);
      assert.equal(await limit(), 64 * 1024 * 1024);
      await usage.updateResources({ id, resources: { memory: 96 * 1024 * 1024, memorySwap: 192 * 1024 * 1024 } });
      assert.equal(await limit(), 96 * 1024 * 1024);
      await remove(id);
    });

    test('of what does not run there is no usage: NOT_RUNNING; of what is not known CONTAINER_NOT_FOUND', async () => {
      const { usage, run, exit, remove } = current();
      const id = await run(['true']);
      await exit(id);
      await refused(usage.watchUsage({ id }), 'FAILED_PRECONDITION', 'NOT_RUNNING');
      await refused(usage.listProcesses({ id }), 'FAILED_PRECONDITION', 'NOT_RUNNING');
      await refused(usage.updateResources({ id, resources: { cpuShares: 512 } }), 'FAILED_PRECONDITION', 'NOT_RUNNING');
      await refused(usage.watchUsage({ id: newId() }), 'NOT_FOUND', 'CONTAINER_NOT_FOUND');
      await remove(id);
    });
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ExecSpec } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { AttachedMonitor } from './attached-monitor.ts';
import { Exec } from './exec.ts';
import { openReadyMonitors } from './ready-monitors.ts';

function execIn(containerId: string): Exec {
  const none = { process: undefined, monitor: undefined, exitCode: undefined };
  const spec = ExecSpec.fromPartial({ args: ['true'] });
  return new Exec({
    id: `in-${containerId}`,
    containerId,
    generation: 1,
    spec,
    state: 'created',
    bootId: '',
    madeMs: 0,
    ...none,
  });
}

/** One that ends when it is abandoned, or never. */
function monitor(isStuck: boolean): AttachedMonitor {
  const { promise: exited, resolve } = Promise.withResolvers<number>();
  const abandon = () => (isStuck ? undefined : resolve(1));
  const never = new Promise<never>(() => {});
  const mark = { pid: 1, startTime: '' };
  return { pid: 1, mark, exited, abandon, run() {}, attachable: never, hub: never, started: never, ended: never };
}

test('a monitor that does not end holds up its own container’s only', async () => {
  const cleared: string[] = [];
  const ready = openReadyMonitors((place) => cleared.push(place));
  ready.prepare(execIn('stuck'), async () => monitor(true));
  ready.prepare(execIn('other'), async () => monitor(false));
  await setImmediate();
  let isDropped = false;
  void ready.drop('stuck').then(() => {
    isDropped = true;
  });
  await ready.drop('other');
  assert.deepEqual(cleared, ['in-other']);
  assert.equal(isDropped, false);
  assert.equal(ready.take(execIn('stuck')), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors } from '../../../kit/errors.ts';
import { Boot, BootFailed, type Step, type StepReport } from './boot.ts';

function journal() {
  const lines: string[] = [];
  const reports: StepReport[] = [];
  const step = (name: string, fails = false): Step<string> => ({
    name,
    run(context) {
      lines.push(`do ${name}`);
      context.defer(() => void lines.push(`undo ${name}`));
      context.say(`about ${name}`);
      if (fails) throw new Error(`${name} cannot be done`);
      return name;
    },
  });
  const boot = new Boot([{ report: (report) => void reports.push(report) }]);
  return { lines, reports, step, boot };
}

test('a step that fails undoes itself and the finished ones, last first', async () => {
  const { lines, step, boot } = journal();
  await boot.run(step('one'));
  await boot.run(step('two'));
  await assert.rejects(boot.run(step('three', true)), (error: unknown) => {
    assert.ok(error instanceof BootFailed);
    assert.equal(error.step, 'three');
    assert.equal(error.message, 'three cannot be done');
    return true;
  });
  assert.deepEqual(lines, ['do one', 'do two', 'do three', 'undo three', 'undo two', 'undo one']);
});

test('an undo that fails is told, and the others go on', async () => {
  const { lines, step, boot } = journal();
  await boot.run(step('one'));
  await boot.run({
    name: 'two',
    run: (context) =>
      context.defer(() => {
        throw new Error('stuck');
      }),
  });
  await assert.rejects(boot.run(step('three', true)), /three cannot be done \(and while undoing: two: stuck\)/);
  assert.deepEqual(lines.at(-1), 'undo one');
});

test('a boot that is kept stays until it is undone, then nothing is undone twice', async () => {
  const { lines, step, boot } = journal();
  {
    await using kept = boot;
    await kept.run(step('one'));
    kept.keep(undefined);
  }
  assert.deepEqual(lines, ['do one']);
  assert.deepEqual(await boot.undo(), []);
  assert.deepEqual(await boot.undo(), []);
  assert.deepEqual(lines, ['do one', 'undo one']);
});

test('a boot that is not kept is undone when it goes out of scope', async () => {
  const { lines, step, boot } = journal();
  {
    await using dropped = boot;
    await dropped.run(step('one'));
  }
  assert.deepEqual(lines, ['do one', 'undo one']);
});

test('each step is reported as it begins, with its detail as it ends, and as it is undone', async () => {
  const { reports, step, boot } = journal();
  await boot.run(step('one'));
  await boot.undo();
  assert.deepEqual(
    reports.map(({ step, number, outcome, detail }) => [step, number, outcome, detail]),
    [
      ['one', 1, 'begun', ''],
      ['one', 1, 'done', 'about one'],
      ['one', 1, 'undone', ''],
    ],
  );
});

test('a step whose service dies under it takes back what it did and is done again', async () => {
  const { lines, boot } = journal();
  const { gone } = defineErrors('a-test', { gone: { code: 'UNAVAILABLE', message: () => 'gone' } });
  let attempts = 0;
  await boot.run({
    name: 'one',
    run(context) {
      attempts += 1;
      lines.push(`do ${attempts}`);
      context.defer(() => void lines.push(`undo ${attempts}`));
      if (attempts === 1) throw Object.assign(gone(), { reason: 'SERVICE_UNAVAILABLE' });
    },
  });
  assert.deepEqual(lines, ['do 1', 'undo 1', 'do 2']);
});

test('a boot that is asked to end stops before the next step and is undone', async () => {
  const lines: string[] = [];
  let reason: Error | undefined;
  const boot = new Boot([], () => reason);
  await boot.run({ name: 'one', run: (context) => context.defer(() => void lines.push('undo one')) });
  reason = new Error('asked to end');
  await assert.rejects(boot.run({ name: 'two', run: () => void lines.push('do two') }), /asked to end/);
  assert.deepEqual(lines, ['undo one']);
});

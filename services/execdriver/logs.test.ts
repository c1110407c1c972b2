import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { openBench, skip } from './testing/harness.ts';
import { until } from './testing/host.ts';

const counting = (count: number) => `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo $i; done`;
const numbersTo = (count: number) => Array.from({ length: count }, (_, index) => `${index + 1}\n`).join('');

suite('logs of containers', { skip }, () => {
  test('a log that is read right after the exit has everything', async () => {
    await using bench = await openBench();
    await bench.init();
    for (let round = 0; round < 5; round++) {
      const id = await bench.run(['sh', '-c', 'echo one; printf two']);
      await bench.wait(id);
      assert.equal(await bench.logs(id), 'one\ntwo');
    }
  });

  test('a follower sees everything up to the exit', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sh', '-c', `${counting(2000)}; sleep 0.1; printf end`]);
    assert.equal(await bench.logs(id, { follow: true }), `${numbersTo(2000)}end`);
  });

  test('rotation keeps to max-size and max-file, and loses no line', async () => {
    await using bench = await openBench();
    await bench.init();
    const log = { driver: 'json-file', options: { 'max-size': '20k', 'max-file': '50' } };
    const script = `${counting(2000)}; while [ ! -e /tmp/go ]; do sleep 0.02; done; ${counting(2000)}; while [ ! -e /tmp/end ]; do sleep 0.02; done`;
    const id = await bench.run(['sh', '-c', script], { log });
    const followed = bench.logs(id, { follow: true });
    const directory = `${bench.directory}/data/execdriver/logs/${id}`;
    const { writeFileSync } = await import('node:fs');
    await until(() => existsSync(`${directory}/container.log.1`), 20_000);
    writeFileSync(`${bench.root}/tmp/go`, '');
    await until(() => existsSync(`${directory}/container.log.2`), 20_000);
    writeFileSync(`${bench.root}/tmp/end`, '');
    assert.equal(await followed, numbersTo(2000) + numbersTo(2000));
    assert.equal(await bench.logs(id), numbersTo(2000) + numbersTo(2000));
    assert.ok(readdirSync(directory).length >= 3);
  });

  test('removing a container may keep its logs', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['echo', 'kept']);
    await bench.wait(id);
    await bench.clients.process.removeContainer({ id, keepLogs: true });
    assert.equal(await bench.logs(id), 'kept\n');
    await bench.clients.process.removeContainer({ id });
    assert.equal(await bench.logs(id), '');
  });

  test('with the driver none nothing is kept, and reading says why', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['echo', 'lost'], { log: { driver: 'none' } });
    await bench.wait(id);
    const failure = await bench.logs(id).catch((error: unknown) => error);
    assert.ok(isServiceError(failure, 'LOGS_UNREADABLE'));
    assert.equal(existsSync(`${bench.directory}/data/execdriver/logs/${id}`), false);
  });
});

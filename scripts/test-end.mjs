/**
 * Loaded into each test file's process: when its tests are over and something still keeps it alive, it says so and ends it, as
 * a failure. (Node's --test-force-exit ends it at once, with the last results on their way, which are lost.)
 */
import { afterEach, beforeEach } from 'node:test';

const patienceMs = 60_000;

if (process.env.NODE_TEST_CONTEXT !== undefined) {
  let timer;
  beforeEach(() => clearTimeout(timer));
  afterEach(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const kept = process.getActiveResourcesInfo().join(', ');
      process.stderr.write(`${process.argv[1]}: nothing happens, and something keeps the process alive: ${kept}\n`);
      process.exit(1);
    }, patienceMs).unref();
  });
}

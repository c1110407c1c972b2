import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startFakeExecdriver } from '../../../fakes/execdriver.ts';
import type { Fake } from '../../../fakes/fake.ts';
import { startFakeGraph } from '../../../fakes/graph.ts';
import { startFakeGraphdriver } from '../../../fakes/graphdriver.ts';
import { startFakeNetwork } from '../../../fakes/network.ts';
import { startFakeVolume } from '../../../fakes/volume.ts';
import { silentLogger } from '../../../kit/log.ts';
import { createOwnHealth } from '../../../kit/rpc/health.ts';
import { serve } from '../../../kit/rpc/serve.ts';
import type { Running, ServiceConfig } from '../../../kit/service.ts';
import { bootWatch, controlService } from '../boot-service.ts';
import { resolveConfig } from '../config.ts';
import type { Flags } from '../flags.ts';
import { inProcessLauncher, type Starts } from '../supervisor/in-process.ts';
import { Boot, BootFailed, type BootListener, type StepReport } from './boot.ts';
import { newDaemon } from './index.ts';

/** A coordinator over the five services in memory, and a gateway that only says that its doors are open. */
function place(t: TestContext, flags: Flags = {}, listener: BootListener = { report: () => {} }) {
  const home = mkdtempSync(join(tmpdir(), 'ls-newdaemon-'));
  const dataRoot = join(home, 'data');
  const execRoot = join(home, 'run');
  const config = resolveConfig({ dataRoot, execRoot, ...flags }, {});
  const fakes = new Map<string, Fake<string, unknown>>();
  const stopped: string[] = [];
  const starting =
    (name: string, start: (config: ServiceConfig) => Promise<Fake<string, unknown>>) =>
    async (config: ServiceConfig): Promise<Running> => {
      const fake = await start(config);
      fakes.set(name, fake);
      return {
        async stop() {
          stopped.push(name);
          await fake.stop();
        },
      };
    };
  const starts: Starts = {
    graph: starting('graph', (options) => startFakeGraph(options)),
    graphdriver: starting('graphdriver', (options) => startFakeGraphdriver(options)),
    execdriver: starting('execdriver', (options) => startFakeExecdriver(options)),
    volume: starting('volume', (options) => startFakeVolume(options)),
    network: starting('network', (options) => startFakeNetwork(options)),
    async gateway(options) {
      const health = createOwnHealth();
      health.set(true, 'longshore.gateway');
      const served = await serve({ ...options, services: [], health });
      return {
        async stop() {
          stopped.push('gateway');
          await served.stop();
        },
      };
    },
  };
  const reports: StepReport[] = [];
  const watch = bootWatch();
  const boot = new Boot([watch, { report: (report) => void reports.push(report) }, listener]);
  const log = silentLogger();
  const host = {
    config,
    log,
    machine: { platform: 'linux', architecture: 'x64', kernelRelease: '6.12.0', effectiveUser: 0 },
    launcher: inProcessLauncher(config, starts),
    control: controlService(watch, () => {}),
    bootDurationNs: () => 0n,
  };
  t.after(async () => {
    await boot.undo();
    rmSync(home, { recursive: true, force: true });
  });
  const leftovers = () => [...fakes.values()].flatMap((fake) => fake.leftovers());
  const steps = (outcome: string) => reports.filter((report) => report.outcome === outcome).map(({ step }) => step);
  return { config, boot, fakes, stopped, leftovers, steps, start: () => newDaemon(host, boot) };
}

test('the engine boots over the services, and its undoing leaves nothing', async (t) => {
  const engine = place(t);
  await engine.start();
  assert.equal(engine.steps('done').length, 21);
  assert.ok(existsSync(engine.config.pidfile));
  assert.deepEqual(await engine.boot.undo(), []);
  assert.deepEqual(engine.leftovers(), []);
  assert.equal(existsSync(engine.config.pidfile), false);
  assert.equal(engine.stopped[0], 'gateway');
  assert.equal(engine.stopped.length, 6);
});

test('a failure after any step undoes the finished ones, last first, and leaves nothing', async (t) => {
  const whole = place(t);
  await whole.start();
  const steps = whole.steps('done');
  await whole.boot.undo();
  for (const failing of steps) {
    await t.test(failing, async (t) => {
      const engine = place(
        t,
        {},
        {
          report({ step, outcome }) {
            if (step === failing && outcome === 'done') throw new Error(`no more after ${step}`);
          },
        },
      );
      await assert.rejects(engine.start(), (error: unknown) => {
        assert.ok(error instanceof BootFailed);
        assert.equal(error.step, failing);
        assert.equal(error.message, `no more after ${failing}`);
        return true;
      });
      const done = engine.steps('done');
      const undone = engine.steps('undone');
      assert.deepEqual(undone, done.filter((step) => undone.includes(step)).reverse());
      assert.deepEqual(engine.leftovers(), []);
      assert.equal(existsSync(engine.config.pidfile), false);
    });
  }
});

test('what a service refuses is the boot’s error, in the service’s own words', async (t) => {
  const engine = place(t, { storageDriver: 'zfs' });
  await assert.rejects(engine.start(), (error: unknown) => {
    assert.ok(error instanceof BootFailed);
    assert.equal(error.step, 'load graph driver');
    assert.match(error.message, /zfs/);
    return true;
  });
  assert.deepEqual(engine.leftovers(), []);
});

test('a second engine on the same roots is refused, and the first goes on', async (t) => {
  const first = place(t);
  await first.start();
  const { dataRoot, execRoot } = first.config;
  const second = place(t, { dataRoot, execRoot });
  await assert.rejects(second.start(), /another engine is running on .*: stop it, or use another --data-root/);
  assert.deepEqual(second.stopped, []);
  assert.deepEqual(first.stopped, []);
});

test('each start of the coordinator has the same engine and a higher epoch', async (t) => {
  const first = place(t);
  const one = await first.start();
  await first.boot.undo();
  const { dataRoot, execRoot } = first.config;
  const second = place(t, { dataRoot, execRoot });
  const two = await second.start();
  assert.equal(two.engine.engineId, one.engine.engineId);
  assert.equal(two.engine.epoch, one.engine.epoch + 1);
});

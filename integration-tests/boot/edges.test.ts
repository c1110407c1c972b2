import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootEngine } from '../engine.ts';
import { importBusybox } from '../images.ts';

const callees = ['graph', 'graphdriver', 'execdriver', 'volume', 'network'];

/** Who may call whom, and for the gateway which of an owner's services: a container's record is only the daemon's to change. */
const edges: Record<string, RegExp> = {
  daemon: /./,
  graph: /^graphdriver /,
  gateway:
    /^(daemon |graph longshore\.graph\.v1\.ImageService|volume longshore\.volume\.v1\.VolumeService|network longshore\.network\.v1\.NetworkService|graphdriver longshore\.graphdriver\.v1\.LayerService\/ListChanges|execdriver longshore\.execdriver\.v1\.(StreamService|ExecService|UsageService|FileService|ProcessService\/(ResizeTerminal|WaitContainer|GetContainer)))/,
};

test('only the edges of the architecture are used, and one trace follows a start through all of them', async (t) => {
  const engine = await bootEngine({ flags: ['--log-level', 'debug'] });
  t.after(() => engine.dispose());
  await importBusybox(engine);
  await engine.dockerWith(undefined, 'run', '--rm', '-v', 'edges:/v', '-p', '0:80', 'busybox', 'echo', 'hello');
  for (const args of [['ps', '-a'], ['images'], ['volume', 'ls'], ['network', 'ls'], ['info'], ['version']])
    await engine.dockerWith(undefined, ...args);
  const calls = [...callees, 'daemon'].flatMap((callee) => {
    const log =
      callee === 'daemon' ? engine.output() : readFileSync(join(engine.execRoot, 'logs', `${callee}.log`), 'utf8');
    return log.split('\n').flatMap((line) => {
      const [, method, caller, trace] = /\bcall method=(\S+) caller=(\S+) .*\btrace=00-([0-9a-f]{32})/.exec(line) ?? [];
      if (method === undefined || caller === undefined || !line.includes(` ${callee} `)) return [];
      return [{ callee, method, caller, trace }];
    });
  });
  const ours = calls.filter(({ method }) => method.startsWith('longshore.'));
  for (const { callee, method, caller } of ours) {
    const allowed = edges[caller]?.test(`${callee} ${method}`) ?? false;
    assert.ok(allowed, `${caller} → ${callee} ${method}`);
  }
  const start = ours.find(({ method }) => method.endsWith('ContainerService/StartContainer'));
  assert.ok(start);
  const reached = new Set(ours.filter(({ trace }) => trace === start.trace).map(({ callee }) => callee));
  assert.deepEqual([...reached].sort(), ['daemon', 'execdriver', 'graphdriver', 'network', 'volume']);
});

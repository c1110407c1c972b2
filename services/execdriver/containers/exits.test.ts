import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../../kit/log.ts';
import { openRecords } from '../../../kit/records.ts';
import { readHierarchies } from '../cgroups/hierarchies.ts';
import { makePaths } from '../paths.ts';
import { Container } from './container.ts';
import { openEvents } from './events.ts';
import { watchExits } from './exits.ts';
import { type ContainerRecord, containerRecords, migrations } from './record.ts';

const id = 'ab'.repeat(32);

function runningRecord(): ContainerRecord {
  const terms = {
    containerName: '',
    runtime: 'crun',
    cgroup: `/longshore-test-none/${id}`,
    tty: false,
    additionalGroups: [],
    limitsMemory: false,
    openStdin: false,
    stdinOnce: false,
    logDriver: 'none',
    logMaxSize: 0,
    logMaxFiles: 1,
  };
  const none = { init: undefined, monitor: undefined, exit: undefined };
  return { id, generation: 1, state: 'running', bootId: '', terms, startedNs: 1n, oomKills: 0, ...none };
}

test('an end that cannot be recorded, as on a full disk, is told when it can', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'longshore-exits-'));
  const records = openRecords(join(root, 'records.db'), { migrations });
  const paths = makePaths(join(root, 'data'), join(root, 'run'));
  const container = new Container(runningRecord());
  const containers = new Map([[id, container]]);
  const saved = containerRecords(records);
  let failures = 2;
  const exits = watchExits({
    containers,
    records,
    containerRecords: {
      ...saved,
      save(record) {
        if (failures-- > 0) throw new Error('database or disk is full');
        saved.save(record);
      },
    },
    events: openEvents(records),
    paths,
    hierarchies: readHierarchies(),
    remains: { dropExitFile: (ended) => rmSync(paths.exitFileOf(ended)) },
    log: silentLogger(),
    onEnded: () => {},
  });
  t.after(() => {
    exits.close();
    records.close();
    rmSync(root, { recursive: true });
  });
  writeFileSync(paths.exitFileOf(id), '7');
  exits.settle(container);
  assert.equal(container.record.state, 'running');
  const keepAlive = setInterval(() => {}, 1000);
  t.after(() => clearInterval(keepAlive));
  assert.equal((await container.ended).code, 7);
  assert.deepEqual(
    saved.load().map(({ state, exit }) => [state, exit?.code]),
    [['exited', 7]],
  );
});

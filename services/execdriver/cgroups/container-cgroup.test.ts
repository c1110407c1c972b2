import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { canHost } from './container-cgroup.ts';
import { type Hierarchy, hierarchiesOf } from './hierarchies.ts';

const MiB = 1024 * 1024;
const unlimited = '9223372036854771712';

test('a process of ours waits in a container’s cgroups only where no limit would feel it', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'longshore-cgroup-'));
  t.after(() => rmSync(root, { recursive: true }));
  const tree = (name: string, version: 1 | 2): Hierarchy => {
    mkdirSync(join(root, name, 'box'), { recursive: true });
    return { root: join(root, name), version, controllers: version === 1 ? [name] : [] };
  };
  const [pids, memory, unified] = [tree('pids', 1), tree('memory', 1), tree('unified', 2)];
  const limited = (most: string, bytes: string) => {
    writeFileSync(join(root, 'pids/box/pids.max'), `${most}\n`);
    writeFileSync(join(root, 'memory/box/memory.limit_in_bytes'), `${bytes}\n`);
    return canHost(hierarchiesOf([pids, memory, unified]), '/box');
  };
  assert.equal(limited('max', unlimited), true);
  assert.equal(limited('max', `${64 * MiB}`), true);
  assert.equal(limited('max', `${63 * MiB}`), false);
  assert.equal(limited('1000', unlimited), false);
  // A host without these controllers has no such limits; version 2 alone needs no process of ours there.
  assert.equal(canHost(hierarchiesOf([unified, tree('cpu', 1)]), '/box'), true);
  assert.equal(canHost(hierarchiesOf([unified]), '/box'), false);
});

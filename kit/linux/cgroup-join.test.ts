import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { expectCgroupJoin, ownProcsFiles } from './cgroup-join.ts';

test('the files are found in the layouts of cgroups', () => {
  assert.deepEqual(ownProcsFiles('10:hugetlb:/\n9:name=systemd:/init\n3:cpu,cpuacct:/user\n0::/\n'), [
    '/sys/fs/cgroup/hugetlb/cgroup.procs',
    '/sys/fs/cgroup/systemd/init/cgroup.procs',
    '/sys/fs/cgroup/cpu,cpuacct/user/cgroup.procs',
    '/sys/fs/cgroup/cgroup.procs',
  ]);
  assert.deepEqual(ownProcsFiles('0::/system.slice/a.service\n'), [
    '/sys/fs/cgroup/system.slice/a.service/cgroup.procs',
  ]);
  assert.deepEqual(ownProcsFiles(''), []);
});

test('our own cgroups stay what they are', async (t) => {
  const before = readFileSync('/proc/self/cgroup', 'utf8');
  if (!ownProcsFiles(before).some((file) => existsSync(file))) return t.skip('no cgroups at their usual place');
  await Promise.all([expectCgroupJoin(), expectCgroupJoin()]);
  await expectCgroupJoin();
  assert.equal(readFileSync('/proc/self/cgroup', 'utf8'), before);
});

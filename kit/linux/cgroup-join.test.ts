import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
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

test('who is moved to another cgroup stays there', async (t) => {
  const procs = ownProcsFiles(readFileSync('/proc/self/cgroup', 'utf8')).find((file) => existsSync(file));
  if (procs === undefined || process.getuid?.() !== 0) return t.skip('needs root, and cgroups at their usual place');
  await expectCgroupJoin();
  const other = mkdtempSync(join(dirname(procs), 'longshore-test-'));
  t.after(() => {
    writeFileSync(procs, String(process.pid));
    rmdirSync(other);
  });
  writeFileSync(join(other, 'cgroup.procs'), String(process.pid));
  const now = readFileSync('/proc/self/cgroup', 'utf8');
  assert.match(now, new RegExp(basename(other)));
  // Late enough not to be left out.
  await delay(10);
  await expectCgroupJoin();
  assert.equal(readFileSync('/proc/self/cgroup', 'utf8'), now);
});

// The last: after it time is far ahead.
test('those who come together, or soon after, write once; where that is not allowed it is no harm', async (t) => {
  let now = 1_000_000;
  t.mock.method(performance, 'now', () => now);
  const folder = mkdtempSync(join(tmpdir(), 'cgroup-join-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'cgroup.procs');
  writeFileSync(file, '');
  const descriptor = openSync(file, 'r+');
  t.after(() => closeSync(descriptor));
  let read = '';
  const written = async (...callers: Promise<void>[]) => {
    await Promise.all(callers);
    const before = read;
    read = readFileSync(file, 'utf8');
    return read.slice(before.length);
  };
  const procs = () => descriptor;
  assert.equal(await written(expectCgroupJoin(procs), expectCgroupJoin(procs)), '0');
  now += 4;
  assert.equal(await written(expectCgroupJoin(procs)), '');
  now += 1;
  assert.equal(await written(expectCgroupJoin(procs)), '0');
  now += 5;
  const readOnly = openSync(file, 'r');
  t.after(() => closeSync(readOnly));
  assert.equal(await written(expectCgroupJoin(() => readOnly)), '');
  now += 5;
  await expectCgroupJoin(() => {
    throw new Error('no /proc');
  });
  now += 5;
  assert.equal(await written(expectCgroupJoin(procs)), '0');
});

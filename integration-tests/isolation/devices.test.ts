import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { engineForTests } from './inside.ts';

const at = engineForTests();
test('a device of the host can be used by its name, or by another', async () => {
  assert.match(await at.inside(['--device', '/dev/full'], 'echo x >/dev/full'), /No space left/);
  assert.match(await at.inside(['--device', '/dev/full:/dev/brimming'], 'echo x >/dev/brimming'), /No space left/);
});

/** A block device that nobody uses: opening it does nothing. The runtimes allow /dev/full to everybody. */
const idle = readdirSync('/sys/block').find(
  (name) => /^loop\d+$/.test(name) && existsSync(`/dev/${name}`) && !existsSync(`/sys/block/${name}/loop`),
);
const numbers = idle === undefined ? '' : readFileSync(`/sys/block/${idle}/dev`, 'utf8').trim();

suite('permissions', { skip: idle === undefined && 'no idle loop device here' }, () => {
  const script = `head -c 1 /dev/x >/dev/null && echo read; (: >/dev/x) && echo written`;
  for (const [permissions, may] of [
    ['r', ['read']],
    ['w', ['written']],
    ['rw', ['read', 'written']],
    ['rm', ['read']],
    ['', ['read', 'written']],
  ] as const) {
    test(`with ${permissions === '' ? 'none named' : `:${permissions}`} it can be ${may.join(' and ')}`, async () => {
      const device = `/dev/${idle}:/dev/x${permissions === '' ? '' : `:${permissions}`}`;
      const seen = await at.inside(['--device', device], script);
      assert.deepEqual(
        ['read', 'written'].filter((each) => seen.split('\n').includes(each)),
        [...may],
        seen,
      );
    });
  }

  test('--device-cgroup-rule lets a device be made and used', async () => {
    const make = `mknod /dev/x b ${numbers.replace(':', ' ')} && head -c 1 /dev/x >/dev/null && echo read`;
    assert.match(await at.inside([], make), /Operation not permitted/);
    assert.equal(await at.inside(['--device-cgroup-rule', `b ${numbers} rm`], make), 'read');
    assert.equal(await at.inside(['--device-cgroup-rule', `b ${numbers.split(':')[0]}:* rwm`], make), 'read');
  });
});

test('the cgroup allows what was asked for', async () => {
  const list = 'cat /sys/fs/cgroup/devices/devices.list';
  assert.doesNotMatch(await at.inside([], list), /c 1:11 /);
  assert.match(await at.inside(['--device-cgroup-rule', 'c 1:11 r'], list), /^c 1:11 r$/m);
  assert.match(await at.inside(['--device-cgroup-rule', 'b 42:* rw'], list), /^b 42:\* rw$/m);
});

test('what is no device, and a rule that is none, is refused', async () => {
  const missing = await at.attempt(['--device', '/dev/no-such-thing']);
  assert.match(missing.stderr, /error gathering device information while adding custom device "\/dev\/no-such-thing"/);
  assert.ok(missing.code >= 125);
  assert.match(
    (await at.attempt(['--device-cgroup-rule', 'x 1:1 r'])).stderr,
    /invalid device cgroup format|invalid device cgroup rule format/,
  );
});

test('--gpus says clearly that there is no driver', async () => {
  const { code, stderr } = await at.attempt(['--gpus', 'all']);
  assert.equal(code, 125);
  assert.match(stderr, /could not select device driver "" with capabilities: \[\[gpu\]\]/);
});

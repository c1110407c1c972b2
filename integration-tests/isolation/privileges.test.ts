import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { engineForTests } from './inside.ts';

const at = engineForTests();
const own = /^CapBnd:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
const bit = (number: number) => 1n << BigInt(number);
const bounding = async (...options: string[]) => {
  const text = await at.inside(options, "grep '^CapBnd' /proc/self/status");
  return BigInt(`0x${text.split('\t')[1]}`);
};
const usual = 0xa80425fbn;
const [CHOWN, NET_ADMIN, SYS_TIME] = [0, 12, 25];

suite('capabilities', () => {
  test('fourteen without being asked', async () => assert.equal(await bounding(), usual));
  test('--cap-add by name, with and without prefix, in any case', async () => {
    assert.equal(
      await bounding('--cap-add', 'net_admin', '--cap-add', 'CAP_SYS_TIME'),
      usual | bit(NET_ADMIN) | bit(SYS_TIME),
    );
  });
  test('--cap-drop takes one, or all but those added', async () => {
    assert.equal(await bounding('--cap-drop', 'CHOWN'), usual & ~bit(CHOWN));
    assert.equal(await bounding('--cap-drop', 'ALL', '--cap-add', 'CHOWN'), bit(CHOWN));
  });
  test('--cap-add ALL is all that the engine has, less what is dropped', async () => {
    assert.equal(await bounding('--cap-add', 'ALL'), BigInt(`0x${own}`));
    assert.equal(await bounding('--cap-add', 'ALL', '--cap-drop', 'NET_ADMIN'), BigInt(`0x${own}`) & ~bit(NET_ADMIN));
  });
  test('one that nobody knows is refused in Docker’s words, and so is one that the engine lacks', async () => {
    const unknown = await at.attempt(['--cap-add', 'NO_SUCH']);
    assert.match(unknown.stderr, /invalid CapAdd: unknown capability: "CAP_NO_SUCH"/);
    assert.match(
      (await at.attempt(['--cap-drop', 'NO_SUCH'])).stderr,
      /invalid CapDrop: unknown capability: "CAP_NO_SUCH"/,
    );
    if ((BigInt(`0x${own}`) & bit(24)) !== 0n) return;
    const { stderr } = await at.attempt(['--cap-add', 'SYS_RESOURCE']);
    assert.match(
      stderr,
      /capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"/,
    );
  });
  test('a user who is not root holds none', async () => {
    assert.match(await at.inside(['-u', 'dock'], 'grep ^CapEff: /proc/self/status'), /^CapEff:\t0{16}$/);
  });
});

suite('security options', () => {
  test('a container has the default system call filter, and with unconfined none', async () => {
    const mode = 'grep ^Seccomp: /proc/self/status';
    assert.equal(await at.inside([], mode), 'Seccomp:\t2');
    assert.equal(await at.inside(['--security-opt', 'seccomp=unconfined'], mode), 'Seccomp:\t0');
    assert.match(await at.inside([], 'unshare -U true'), /Operation not permitted/);
    assert.equal(await at.inside(['--security-opt', 'seccomp=unconfined'], 'unshare -U true && echo done'), 'done');
  });

  test('a profile from a file is obeyed, also beside --privileged; one that is broken is refused', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ls-seccomp-'));
    try {
      const profile = join(directory, 'no-mkdir.json');
      const syscalls = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }];
      writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }));
      const options = ['--security-opt', `seccomp=${profile}`];
      assert.match(await at.inside(options, 'mkdir /tmp/x'), /Function not implemented/);
      assert.match(await at.inside([...options, '--privileged'], 'mkdir /tmp/x'), /Function not implemented/);
      writeFileSync(profile, '{"defaultAction": 7}');
      const { code, stderr } = await at.attempt(options);
      assert.equal(code, 125);
      assert.match(stderr, /seccomp profile/i);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('no-new-privileges is set, and can be taken back', async () => {
    const flag = 'grep NoNewPrivs /proc/self/status';
    assert.equal(await at.inside([], flag), 'NoNewPrivs:\t0');
    assert.equal(await at.inside(['--security-opt', 'no-new-privileges'], flag), 'NoNewPrivs:\t1');
    assert.equal(await at.inside(['--security-opt', 'no-new-privileges=true'], flag), 'NoNewPrivs:\t1');
    assert.equal(await at.inside(['--security-opt', 'no-new-privileges=false'], flag), 'NoNewPrivs:\t0');
  });

  test('AppArmor and SELinux options do no harm where the kernel has neither', async (context) => {
    if (readdirSync('/sys/module').includes('apparmor')) return context.skip('this kernel has AppArmor');
    for (const option of ['apparmor=some-profile', 'apparmor=unconfined', 'label=disable', 'label=type:some_t'])
      assert.equal(await at.inside(['--security-opt', option], 'echo fine'), 'fine');
  });

  test('an option that nobody knows is refused in Docker’s words', async () => {
    assert.match((await at.attempt(['--security-opt', 'what=ever'])).stderr, /invalid --security-opt 2: "what=ever"/);
  });

  test('kernel interfaces are masked and read-only, and with systempaths=unconfined neither', async () => {
    const script = 'wc -c </proc/keys; ls /sys/firmware | wc -l; echo 1 >/proc/sys/kernel/printk_delay && echo written';
    assert.match(await at.inside([], script), /^0\n0\n.*Read-only file system/);
    const seen = await at.inside(
      ['--security-opt', 'systempaths=unconfined'],
      'wc -c </proc/keys; grep -c " /proc/" /proc/mounts',
    );
    const [keys, covers] = seen.split('\n');
    assert.notEqual(keys, '0');
    assert.equal(covers, '0');
  });
});

suite('--privileged', () => {
  test('holds all that the engine holds, without a filter', async () => {
    const script = "grep -E '^(CapEff|Seccomp):' /proc/self/status";
    assert.equal(await at.inside(['--privileged'], script), `CapEff:\t${own}\nSeccomp:\t0`);
  });

  test('sees all devices, may use them, and nothing is masked or read-only', async () => {
    const script =
      'ls /dev; head -c 1 /dev/kmsg >/dev/null && echo kmsg; grep -c " /proc/" /proc/mounts; grep " /sys sysfs rw" /proc/mounts';
    const seen = await at.inside(['--privileged'], `${script}; mount -t tmpfs x /tmp && echo mounted`);
    // The console is the container's own.
    for (const name of readdirSync('/dev').filter((each) => each !== 'console')) {
      const status = statSync(`/dev/${name}`, { throwIfNoEntry: false });
      if (status?.isCharacterDevice() || status?.isBlockDevice()) assert.match(seen, new RegExp(`^${name}$`, 'm'));
    }
    assert.match(seen, /^kmsg\n0\nsysfs \/sys sysfs rw.*\nmounted$/m);
  });

  test('mounts cgroups writable', async () => {
    assert.equal(
      await at.inside(['--privileged'], 'mkdir /sys/fs/cgroup/pids/x && rmdir /sys/fs/cgroup/pids/x && echo made'),
      'made',
    );
  });
});

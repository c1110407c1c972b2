import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { createNetworkNamespaces } from '../../kit/linux/namespaces.ts';
import { archAt, decode, interesting, type Line, numberAt, run } from './runtime/filter-tree.fixture.ts';
import { defaultSeccompProfile } from './spec/seccomp-default.ts';
import { newId, openBench, type SpecParts, skip } from './testing/harness.ts';

const isCgroup1 = skip === false && readdirSync('/sys/fs/cgroup').includes('memory');

suite('confinement, as seen from inside', { skip }, () => {
  /** Runs a shell script in a container of its own and returns what it wrote. */
  async function inside(script: string, more: SpecParts = {}): Promise<string> {
    await using bench = await openBench();
    await bench.init();
    const id = newId();
    const attached = bench.attach(id);
    attached.catch(() => {});
    await bench.run(['sh', '-c', `exec 2>&1; ${script}`], more, id);
    return `${(await attached).stdout}`.trimEnd();
  }
  async function refusal(more: SpecParts): Promise<string> {
    const error = await inside('true', more).catch((failure: unknown) => failure);
    return isServiceError(error) ? `${error.reason}: ${error.message}` : String(error);
  }
  const capabilities = "grep -E 'Cap(Bnd|Eff|Inh|Amb)' /proc/self/status | tr -s '\\t' ' '";
  const fourteen = '00000000a80425fb';

  test('a container holds fourteen capabilities and no more', async () => {
    const none = '0000000000000000';
    const expected = `CapInh: ${none}\nCapEff: ${fourteen}\nCapBnd: ${fourteen}\nCapAmb: ${none}`;
    assert.equal(await inside(capabilities), expected);
  });

  test('a user who is not root holds none, and gets none by running a program', async () => {
    const seen = await inside(capabilities, { user: 'app' });
    assert.match(seen, /CapEff: 0{16}/);
    assert.match(seen, new RegExp(`CapBnd: ${fourteen}`));
  });

  test('the system call filter stops mount and unshare, also when it comes ready-made', async () => {
    await using bench = await openBench();
    await bench.init();
    const script = 'mount -t tmpfs x /tmp; unshare -U true; unshare -m true; grep Seccomp: /proc/self/status';
    for (let round = 0; round < 2; round++) {
      // CAP_SYS_ADMIN would let these through; without the filter unshare -U needs no capability.
      const id = newId();
      const attached = bench.attach(id);
      await bench.run(['sh', '-c', script], {}, id);
      const { stdout, stderr } = await attached;
      assert.match(`${stderr}`, /mount: permission denied/);
      assert.match(`${stderr}`, /unshare\(0x10000000\): Operation not permitted/);
      assert.equal(`${stdout}`.trim(), 'Seccomp:\t2');
    }
  });

  test('a ready-made filter is shorter than the runtime’s own, and decides the same', {
    skip: process.arch !== 'x64' && 'names system calls of amd64',
  }, async () => {
    await using bench = await openBench();
    await bench.init();
    const programs: Line[][] = [];
    // What has flags is none of ours to share, and so left as the runtime makes it.
    const flagged = JSON.stringify({ ...defaultSeccompProfile, flags: ['SECCOMP_FILTER_FLAG_LOG'] });
    for (const confinement of [{ seccomp: flagged }, {}, {}]) {
      const id = await bench.run(['sleep', '60'], { confinement });
      programs.push(decode(readFileSync(join(bench.directory, 'run/crun', id, 'seccomp.bpf'))));
    }
    const [own = [], shortened = [], readyMade = []] = programs;
    assert.deepEqual(shortened, readyMade, 'execs in the first container have it too');
    assert(readyMade.length < own.length / 2, `${readyMade.length} instructions, ${own.length} of the runtime`);
    const values = interesting(own);
    const [amd64, i386, other] = [0xc000003e, 0x40000003, 0];
    // Whose arguments are looked at: socket, clone, personality.
    const choosy = new Set([41, 56, 120, 135, 136, 359]);
    const compared = new Set<number>();
    for (const architecture of [amd64, i386, other]) {
      for (const number of values) {
        for (const argument of choosy.has(number) ? values : [0, 0xffffffff]) {
          const data = new Map([4, 8, 12, 16, 20, 24, 28, 32, 36].map((at) => [at, argument]));
          data.set(archAt, architecture).set(numberAt, number);
          const { value } = run(own, data);
          assert.equal(run(readyMade, data).value, value, `${architecture} ${number} ${argument}`);
          compared.add(value);
        }
      }
    }
    assert(compared.size >= 3, 'it allows, refuses and kills');
  });

  test('unconfined there is no filter, and a profile of one’s own is obeyed', async () => {
    const status = 'grep Seccomp: /proc/self/status';
    assert.equal(await inside(status, { confinement: { seccomp: 'unconfined' } }), 'Seccomp:\t0');
    const profile = JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
    });
    assert.match(await inside('mkdir /tmp/x', { confinement: { seccomp: profile } }), /Operation not permitted/);
    assert.match(await refusal({ confinement: { seccomp: '{' } }), /^BAD_SPEC: opening seccomp profile failed/);
  });

  test('privileged is everything that the engine itself holds', async () => {
    const own = /^CapBnd:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    const seen = await inside(`${capabilities}; mount -t tmpfs x /tmp && echo mounted; ls /dev/kmsg`, {
      confinement: { privileged: true },
    });
    assert.match(seen, new RegExp(`CapEff: ${own}`));
    assert.match(seen, /mounted\n\/dev\/kmsg$/);
  });

  test('unknown and unavailable capabilities are refused by name', async () => {
    assert.match(await refusal({ confinement: { capAdd: ['FOO'] } }), /^BAD_SPEC: invalid capability: .*"CAP_FOO"/);
  });

  test('no new privileges is handed on', async () => {
    const seen = await inside('grep NoNewPrivs /proc/self/status', { confinement: { noNewPrivileges: true } });
    assert.equal(seen, 'NoNewPrivs:\t1');
  });

  test('kernel interfaces are masked or read-only', async () => {
    const seen = await inside('cat /proc/keys | wc -c; ls /sys/firmware | wc -l; echo x > /proc/sys/kernel/hostname');
    assert.match(seen, /^0\n0\n.*Read-only file system/);
    assert.match(await inside('mkdir /sys/fs/cgroup/x; mkdir /sys/fs/cgroup/*/x'), /Read-only file system/);
  });

  test('limits of memory, processes and CPU are the container’s', {
    skip: !isCgroup1 && 'reads version 1',
  }, async () => {
    const files = [
      'memory/memory.limit_in_bytes',
      'memory/memory.memsw.limit_in_bytes',
      'pids/pids.max',
      'cpu/cpu.cfs_quota_us',
      'cpu/cpu.shares',
    ];
    const seen = await inside(`cat ${files.map((file) => `/sys/fs/cgroup/${file}`).join(' ')}`, {
      resources: { memory: 33554432, pidsLimit: 50, nanoCpus: 500_000_000, cpuShares: 512 },
    });
    assert.deepEqual(seen.split('\n'), ['33554432', '67108864', '50', '50000', '512']);
  });

  test('limits of processes are set, as far as the engine may', async () => {
    const rlimits = [
      { name: 'nofile', soft: 1000n, hard: 2n ** 40n },
      { name: 'core', soft: -1n, hard: -1n },
    ];
    const [soft, hard, core] = (await inside('ulimit -n; ulimit -Hn; ulimit -c', { rlimits })).split('\n');
    assert.deepEqual([soft, core], ['1000', 'unlimited']);
    assert.ok(Number(hard) >= 1000);
  });

  test('the root may be read-only, with places to write', async () => {
    const seen = await inside('touch /x; touch /tmp/x && echo written; dd if=/dev/zero of=/tmp/y bs=1M count=2', {
      readOnlyRoot: true,
      mounts: [{ destination: '/tmp', type: 'tmpfs', options: ['size=1m'] }],
    });
    assert.match(seen, /Read-only file system\nwritten\n.*No space left/);
  });

  test('a bind may be read-only, with what is mounted below it', async () => {
    const seen = await inside('touch /host/x; touch /host/shm/x', {
      mounts: [{ source: '/dev', destination: '/host', type: 'bind', readOnly: true }],
    });
    assert.equal(seen.match(/Read-only file system/g)?.length, 2);
  });

  test('users, groups, home and working directory come from the image', async () => {
    const seen = await inside('id; pwd; echo $HOME; ls -ld /work/here | cut -c1-30', {
      user: 'app',
      additionalGroups: ['root'],
      workingDir: '/work/here',
    });
    assert.match(
      seen,
      /^uid=1000\(app\) gid=1000\(app\) groups=0\(root\),1000\(app\),2000\(extra\)\n\/work\/here\n\/home\/app\ndrwxr-xr-x/,
    );
    assert.equal(
      await refusal({ user: 'nobody-here' }),
      'UNKNOWN_USER: unable to find user nobody-here: no matching entries in passwd file',
    );
  });

  test('an init program of the host may be the first process', async () => {
    assert.match(await inside('cat /proc/1/cmdline | tr "\\0" " "', { init: true }), /^\/sbin\/docker-init -- sh/);
  });

  test('processes, names and shared memory of the host are seen only when asked for', async () => {
    const own = await inside('hostname; [ -d /proc/self/task ] && ls /proc | grep -c "^[0-9]"');
    assert.match(own, /^box\n[1-9]$/);
    const hosts = await inside('for n in pid ipc uts; do readlink /proc/self/ns/$n; done', {
      pidMode: 'host',
      ipcMode: 'host',
      utsMode: 'host',
    });
    const expected = ['pid', 'ipc', 'uts'].map((name) =>
      spawnSync('readlink', [`/proc/self/ns/${name}`], { encoding: 'utf8' }).stdout.trim(),
    );
    assert.deepEqual(hosts.split('\n'), expected);
  });

  test('a network namespace is joined by its path and taken as it is, but for the sysctls asked for', async () => {
    const namespaces = createNetworkNamespaces();
    const path = `/tmp/longshore-netns-${randomBytes(6).toString('hex')}`;
    namespaces.create(path);
    try {
      namespaces.run(path, () => writeFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', '81'));
      const seen = await inside(
        'ls /sys/class/net; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /proc/sys/net/core/somaxconn',
        {
          networkNamespacePath: path,
          sysctls: { 'net.core.somaxconn': '77' },
        },
      );
      assert.deepEqual(seen.split('\n').slice(-3), ['lo', '81', '77']);
    } finally {
      namespaces.remove(path);
    }
  });

  test('sysctls of the network are refused where the network is the host’s', async () => {
    const before = readFileSync('/proc/sys/net/core/somaxconn', 'utf8');
    for (const name of ['net.core.somaxconn', 'net/core/somaxconn']) {
      const failure = await inside('true', { sysctls: { [name]: '77' } }).catch((error: unknown) => error);
      assert.ok(isServiceError(failure, 'BAD_SPEC'), String(failure));
      assert.match(failure.message, /not allowed in host network namespace/);
    }
    assert.equal(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'), before);
  });

  test('devices of the host are there when asked for, and only those can be used', async () => {
    const seen = await inside('echo hi > /dev/my-null && echo ok; mknod /tmp/kmsg c 1 11; cat /tmp/kmsg', {
      devices: [{ pathOnHost: '/dev/null', pathInContainer: '/dev/my-null', permissions: 'rw' }],
    });
    assert.match(seen, /^ok\n/);
    assert.match(seen, /Operation not permitted/);
  });

  test('a hostile image cannot lead the engine out of its root', async () => {
    await using bench = await openBench();
    await bench.init();
    const { symlinkSync, rmSync } = await import('node:fs');
    writeFileSync(`${bench.directory}/outside`, 'evil:x:0:0::/:/bin/sh\n');
    rmSync(`${bench.root}/etc/passwd`);
    symlinkSync(`${bench.directory}/outside`, `${bench.root}/etc/passwd`);
    const failure = await bench.run(['true'], { user: 'evil' }).catch((error: unknown) => error);
    assert.ok(isServiceError(failure, 'UNKNOWN_USER'), String(failure));
    symlinkSync('../../../../../../..', `${bench.root}/up`);
    await bench.wait(await bench.run(['true'], { workingDir: `/up${bench.directory}/made` }));
    assert.equal(readdirSync(bench.directory).includes('made'), false);
  });
});

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine, inOneProcess, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
let here: string;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const file = (name: string, content = name) => {
  const path = join(here, name);
  writeFileSync(path, content);
  return path;
};
const tarNames = (tar: Buffer, ...options: string[]) =>
  execFileSync('tar', ['-t', ...options], { input: tar, encoding: 'utf8', maxBuffer: 1 << 28 })
    .trim()
    .split('\n');
const size = 100 * 1024 * 1024;
const sum = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
/** What a command prints, as bytes. */
const bytesOf = (...args: string[]) =>
  execFileSync('docker', args, { env: { ...process.env, DOCKER_HOST: engine.host }, maxBuffer: 1 << 28 });

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
  here = mkdtempSync(join(tmpdir(), 'ls-files-'));
});
after(async () => {
  const left = await engine.docker('ps', '-a', '--format', '{{.Names}}');
  await engine.dispose();
  rmSync(here, { recursive: true, force: true });
  assert.deepEqual([left.stdout, engine.state()], ['', nothing]);
});

/** The same container in each state; `use` is run for all of them. */
async function inAllStates(name: string, use: (name: string, state: string) => Promise<void>): Promise<void> {
  const made = ['--name', name, '-v', `${name}:/data`, 'busybox', 'sleep', '1000'];
  await docker('create', ...made);
  await use(name, 'created');
  await docker('start', name);
  await use(name, 'running');
  await docker('pause', name);
  await use(name, 'paused');
  await docker('unpause', name);
  await docker('stop', '-t', '0', name);
  await use(name, 'stopped');
  await docker('rm', name);
  await docker('volume', 'rm', name);
}

test('a file and a directory go in and out, whether the container was only created, runs, is paused or stopped', async () => {
  mkdirSync(join(here, 'tree/deep'), { recursive: true });
  file('tree/deep/one', 'one\n');
  file('note', 'a note\n');
  await inAllStates('cp-states', async (name, state) => {
    await docker('cp', join(here, 'note'), `${name}:/tmp/note-${state}`);
    await docker('cp', join(here, 'tree'), `${name}:/tmp/tree-${state}`);
    await docker('cp', join(here, 'note'), `${name}:/data/note-${state}`);
    const out = mkdtempSync(join(here, 'out-'));
    for (const path of [`/tmp/note-${state}`, `/tmp/tree-${state}`, `/data/note-${state}`, '/etc/passwd']) {
      await docker('cp', `${name}:${path}`, out);
    }
    assert.equal(readFileSync(join(out, `note-${state}`), 'utf8'), 'a note\n');
    assert.equal(readFileSync(join(out, `tree-${state}`, 'deep/one'), 'utf8'), 'one\n');
    assert.match(readFileSync(join(out, 'passwd'), 'utf8'), /^dock:/m);
    if (state === 'running') {
      const hosts = execFileSync('tar', ['-xO'], { input: bytesOf('cp', `${name}:/etc/hosts`, '-'), encoding: 'utf8' });
      assert.equal(hosts, await docker('exec', name, 'cat', '/etc/hosts'));
      const inside = await docker(
        'exec',
        name,
        'cat',
        '/data/note-created',
        '/data/note-running',
        '/tmp/tree-created/deep/one',
      );
      assert.equal(inside, 'a note\na note\none\n');
    }
  });
});

test('a tar goes in by stdin and out by stdout, with modes, owners, links and long names as they were', async () => {
  const source = join(here, 'kept');
  mkdirSync(source);
  file('kept/setuid');
  chownSync(join(source, 'setuid'), 1000, 1000);
  chmodSync(join(source, 'setuid'), 0o4755);
  symlinkSync('/etc/passwd', join(source, 'link'));
  linkSync(join(source, 'setuid'), join(source, 'twin'));
  file(`kept/${'n'.repeat(200)}`);
  execFileSync('mknod', [join(source, 'null'), 'c', '1', '3']);
  execFileSync('mkfifo', [join(source, 'pipe')]);
  await docker('create', '--name', 'cp-tar', 'busybox', 'true');
  const tar = execFileSync('tar', ['-c', '-C', here, 'kept'], { maxBuffer: 1 << 28 });
  await engine.dockerWith(tar, 'cp', '-', 'cp-tar:/tmp');
  const out = bytesOf('cp', 'cp-tar:/tmp/kept', '-');
  const copy = mkdtempSync(join(here, 'copy-'));
  execFileSync('tar', ['-xp', '-C', copy], { input: out });
  const at = (name: string) => lstatSync(join(copy, 'kept', name));
  assert.deepEqual(readdirSync(join(copy, 'kept')).sort(), readdirSync(source).sort());
  assert.deepEqual([at('setuid').mode, at('setuid').uid, at('setuid').gid], [0o104755, 1000, 1000]);
  assert.equal(at('setuid').ino, at('twin').ino);
  assert.equal(readlinkSync(join(copy, 'kept/link')), '/etc/passwd');
  assert.deepEqual([at('null').isCharacterDevice(), at('pipe').isFIFO()], [true, true]);
  const followed = join(here, 'followed');
  await docker('cp', '-L', 'cp-tar:/tmp/kept/link', followed);
  assert.match(readFileSync(followed, 'utf8'), /^root:/);
  await docker('cp', 'cp-tar:/tmp/kept/link', join(here, 'unfollowed'));
  assert.equal(readlinkSync(join(here, 'unfollowed')), '/etc/passwd');
  await docker('rm', 'cp-tar');
});

test('-a gives what is copied to the container’s user', async () => {
  file('owned');
  await docker('run', '-d', '--name', 'cp-owner', '--user', 'dock', 'busybox', 'sleep', '1000');
  await docker('cp', join(here, 'owned'), 'cp-owner:/tmp/as-it-was');
  await docker('cp', '-a', join(here, 'owned'), 'cp-owner:/tmp/of-the-user');
  const owners = await docker('exec', 'cp-owner', 'stat', '-c', '%u:%g', '/tmp/as-it-was', '/tmp/of-the-user');
  assert.equal(owners, '0:0\n1000:1000\n');
  await docker('rm', '-f', 'cp-owner');
});

test('what cannot be copied is refused in Docker’s words', async () => {
  file('plain');
  mkdirSync(join(here, 'folder'));
  const volumes = ['-v', 'cp-ro:/ro:ro', '-v', 'cp-rw:/rw'];
  await docker('run', '-d', '--name', 'cp-ro', '--read-only', ...volumes, 'busybox', 'sleep', '1000');
  const refused = async (...args: string[]) => {
    const { code, stderr } = await engine.docker('cp', ...args);
    assert.equal(code, 1, stderr);
    return stderr;
  };
  const plain = join(here, 'plain');
  assert.match(await refused('cp-ro:/nothing', here), /Could not find the file \/nothing in container cp-ro/);
  assert.match(await refused(plain, 'cp-ro:/no/such/place'), /Could not find the file \/no\/such in container cp-ro/);
  assert.match(await refused(plain, 'cp-ro:/tmp'), /container rootfs is marked read-only/);
  assert.match(await refused(plain, 'cp-ro:/ro'), /mounted volume is marked read-only/);
  assert.match(await refused('nobody:/etc/passwd', here), /No such container: nobody/);
  await docker('cp', plain, 'cp-ro:/rw/plain');
  assert.equal(await docker('exec', 'cp-ro', 'cat', '/rw/plain'), 'plain');
  assert.match(await refused(join(here, 'folder'), 'cp-ro:/rw/plain'), /cannot copy directory/);
  await docker('rm', '-f', 'cp-ro');
  await docker('volume', 'rm', 'cp-ro', 'cp-rw');
});

test('no symlink of a container leads out of it, also while it swaps them', async () => {
  const secret = file('secret', 'of the host\n');
  const swap = `mkdir -p /real/${here} /tmp/d; echo inside >/real/${here}/secret
    while :; do rm -rf /swap; ln -s ../../../.. /swap; rm -rf /swap; ln -s /real /swap; done`;
  await docker('run', '-d', '--name', 'cp-evil', 'busybox', 'sh', '-c', swap);
  await until(async () => (await engine.docker('exec', 'cp-evil', 'test', '-d', '/real')).code === 0, 10_000);
  const out = mkdtempSync(join(here, 'evil-'));
  const end = Date.now() + 5000;
  for (let count = 0; Date.now() < end; count++) {
    await engine.docker('cp', `cp-evil:/swap${secret}`, join(out, `${count}`));
    await engine.docker('cp', join(here, 'plain'), `cp-evil:/swap${here}/written`);
  }
  for (const name of readdirSync(out)) assert.equal(readFileSync(join(out, name), 'utf8'), 'inside\n');
  assert.equal(existsSync(join(here, 'written')), false);
  assert.equal(readFileSync(secret, 'utf8'), 'of the host\n');
  await docker('rm', '-f', 'cp-evil');
});

test('100 MB through cp are equal by hash, and a client that goes away leaves nothing', async () => {
  const big = file('big', '');
  execFileSync('dd', ['if=/dev/urandom', `of=${big}`, 'bs=1M', 'count=100', 'status=none']);
  await docker('create', '--name', 'cp-big', 'busybox', 'true');
  await docker('cp', big, 'cp-big:/big');
  await docker('cp', 'cp-big:/big', join(here, 'back'));
  assert.equal(sum(join(here, 'back')), sum(big));
  const script = 'timeout -s KILL 0.2 docker cp cp-big:/big - | head -c 1000000 >/dev/null; true';
  execFileSync('sh', ['-c', script], { env: { ...process.env, DOCKER_HOST: engine.host } });
  // What reads it for the client holds the layer, which could then not be removed.
  const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(join(engine.dataRoot, 'graphdriver'));
  const id = (await docker('inspect', '-f', '{{.Id}}', 'cp-big')).trim();
  await until(() => !readFileSync('/proc/self/mountinfo', 'utf8').includes(id), 10_000);
  assert.equal(mounts(), false);
  await docker('rm', 'cp-big');
});

test('a copy goes on when the coordinator dies in the midst of it, and the next one knows nothing of it any more', {
  skip: inOneProcess,
}, async () => {
  await docker('create', '--name', 'cp-on', 'busybox', 'true');
  await docker('cp', join(here, 'big'), 'cp-on:/big');
  const reading = spawn('docker', ['cp', 'cp-on:/big', '-'], { env: { ...process.env, DOCKER_HOST: engine.host } });
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of reading.stdout as AsyncIterable<Buffer>) {
    if (length === 0) process.kill(engine.pidOf('daemon'), 'SIGKILL');
    // The archive is a block of header, the content, and zeros.
    if (length === 0) hash.update(chunk.subarray(512));
    else hash.update(chunk.subarray(0, Math.max(0, 512 + size - length)));
    length += chunk.length;
  }
  assert.equal(hash.digest('hex'), sum(join(here, 'big')));
  await until(async () => (await engine.docker('rm', 'cp-on')).code === 0, 10_000);
});

test('an export has the root without what is mounted in it', async () => {
  const run = ['run', '-d', '--name', 'exported', '-v', 'exported:/var/seed', '--tmpfs', '/scratch', 'busybox'];
  await docker(...run, 'sh', '-c', 'echo x >/scratch/x; echo y >/made; exec sleep 1000');
  await until(async () => (await engine.docker('exec', 'exported', 'test', '-f', '/made')).code === 0, 10_000);
  const running = tarNames(bytesOf('export', 'exported'));
  for (const name of ['bin/busybox', 'etc/passwd', 'made', 'var/seed/file', 'scratch/']) {
    assert.ok(running.includes(name), name);
  }
  assert.ok(!running.some((name) => name.startsWith('/') || name.includes('scratch/x') || name.startsWith('proc/1')));
  await docker('exec', 'exported', 'touch', '/var/seed/of-the-volume');
  await docker('stop', '-t', '0', 'exported');
  const stopped = tarNames(bytesOf('export', 'exported'));
  assert.ok(!stopped.includes('var/seed/of-the-volume'));
  await engine.dockerWith(bytesOf('export', 'exported'), 'import', '-', 'again');
  assert.equal(await docker('run', '--rm', 'again', 'cat', '/made'), 'y\n');
  await docker('rm', '-f', 'exported');
  await docker('volume', 'rm', 'exported');
});

test('sizes are what the container wrote, and that with its image; diff shows what it changed', async () => {
  const script = 'head -c 1000000 /dev/zero >/tmp/million; rm /etc/not-executable; echo >>/etc/group; mkdir /new';
  await docker('run', '--name', 'sized', 'busybox', 'sh', '-c', script);
  assert.match(await docker('ps', '-as', '--format', '{{.Names}} {{.Size}}'), /^sized 1MB \(virtual \d\.\d+MB\)$/m);
  const [rw = '', root = ''] = (await docker('inspect', '-s', '-f', '{{.SizeRw}} {{.SizeRootFs}}', 'sized'))
    .trim()
    .split(' ');
  assert.ok(Number(rw) >= 1_000_000 && Number(rw) < 1_010_000, rw);
  assert.ok(Number(root) > Number(rw) + 500_000, root);
  const diff = (await docker('diff', 'sized')).trim().split('\n').sort();
  assert.deepEqual(diff, ['A /new', 'A /tmp/million', 'C /etc', 'C /etc/group', 'C /tmp', 'D /etc/not-executable']);
  await docker('rm', 'sized');
});

test('a volume of a container that never ran shows what its image has there; events tell of the copies', async () => {
  const since = Math.floor(Date.now() / 1000);
  await docker('create', '--name', 'seeded', '-v', 'seeded:/var/seed', 'busybox', 'true');
  const name = randomBytes(4).toString('hex');
  await docker('cp', file(name), 'seeded:/var/seed/');
  assert.deepEqual(tarNames(bytesOf('cp', 'seeded:/var/seed', '-')).sort(), ['seed/', `seed/${name}`, 'seed/file']);
  const until = String(Math.floor(Date.now() / 1000) + 1);
  const told = await docker(
    'events',
    '--since',
    `${since}`,
    '--until',
    until,
    '--filter',
    'container=seeded',
    '--format',
    '{{.Action}}',
  );
  assert.deepEqual(told.trim().split('\n'), ['create', 'extract-to-dir', 'archive-path']);
  await docker('rm', '-v', 'seeded');
  await docker('volume', 'rm', 'seeded');
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine } from '../engine.ts';
import { busyboxTar, importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'ls-archive-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const tarOf = (folder: string, ...options: string[]) =>
  execFileSync('tar', ['-c', '--owner=0', '--group=0', ...options, '-C', folder, '.'], { maxBuffer: 1 << 28 });

/** A layer with these files on top of what is there. */
const layerOf = (files: Record<string, string>): Buffer =>
  inFolder((folder) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return tarOf(folder, '--mode=a+rX');
  });

/** What `docker save` writes: manifest.json, the config, a folder for each layer. */
function savedArchive(tag: string, layers: readonly Buffer[]): Buffer {
  return inFolder((folder) => {
    const config = Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Cmd: ['sh'], Env: ['PATH=/bin', 'FROM_IMAGE=yes'] },
        rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
      }),
    );
    const names = layers.map((layer) => {
      mkdirSync(join(folder, sha256(layer)));
      writeFileSync(join(folder, sha256(layer), 'layer.tar'), layer);
      return `${sha256(layer)}/layer.tar`;
    });
    writeFileSync(join(folder, `${sha256(config)}.json`), config);
    writeFileSync(
      join(folder, 'manifest.json'),
      JSON.stringify([{ Config: `${sha256(config)}.json`, RepoTags: [tag], Layers: names }]),
    );
    return tarOf(folder);
  });
}

test('docker load takes in what docker save wrote; upper layers hide and remove what lower ones have', async () => {
  const layers = [
    busyboxTar(),
    layerOf({ 'etc/greeting': 'first\n', 'etc/doomed': 'x\n' }),
    layerOf({ 'etc/greeting': 'second\n', 'etc/.wh.doomed': '' }),
  ];
  assert.match(await engine.dockerWith(savedArchive('saved:1', layers), 'load'), /^Loaded image: saved:1$/m);
  const script = 'cat /etc/greeting; ls /etc/doomed 2>&1; echo $FROM_IMAGE';
  const { stdout } = await engine.docker('run', '--rm', 'saved:1', 'sh', '-c', script);
  assert.equal(stdout, 'second\nls: /etc/doomed: No such file or directory\nyes\n');
  assert.match(await docker('images'), /^saved +1 /m);
});

test('loading twice is the same image; tags come and go; the last one takes the image along', async () => {
  const archive = savedArchive('twice:1', [busyboxTar()]);
  await engine.dockerWith(archive, 'load');
  const id = await docker('inspect', '-f', '{{.Id}}', 'twice:1');
  await engine.dockerWith(archive, 'load');
  assert.equal(await docker('inspect', '-f', '{{.Id}}', 'twice:1'), id);
  await docker('tag', 'twice:1', 'thrice:2');
  assert.equal(await docker('rmi', 'twice:1'), 'Untagged: twice:1\n');
  assert.match(await docker('rmi', 'thrice:2'), new RegExp(`Deleted: ${id.trim()}`));
  assert.match((await engine.docker('run', '--rm', 'thrice:2', 'true')).stderr, /thrice:2/);
});

test('an image that a container uses is not removed', async () => {
  await engine.dockerWith(savedArchive('used:1', [busyboxTar(), layerOf({ used: '' })]), 'load');
  await docker('create', '--name', 'user', 'used:1');
  assert.match((await engine.docker('rmi', 'used:1')).stderr, /container [0-9a-f]{12} is using its referenced image/);
  await docker('rm', 'user');
  await docker('rmi', 'used:1');
});

test('an image that is nowhere is one clear line', async () => {
  const { code, stderr } = await engine.docker('run', '--rm', 'nowhere/to-be:found', 'true');
  assert.equal(code, 125);
  assert.match(stderr, /nowhere\/to-be:found/);
  assert.ok(stderr.trim().split('\n').length <= 4, stderr);
});

for (const [what, build] of [
  [
    'a path with ..',
    (folder: string) =>
      execFileSync('tar', ['-c', '-P', '--transform=s,^x$,../../../../tmp/ls-escaped,', '-C', folder, 'x']),
  ],
  [
    'an absolute path',
    (folder: string) => execFileSync('tar', ['-c', '-P', '--transform=s,^x$,/tmp/ls-escaped,', '-C', folder, 'x']),
  ],
] as const) {
  test(`an archive with ${what} writes nothing outside its layer`, async () => {
    const layer = inFolder((folder) => {
      writeFileSync(join(folder, 'x'), 'escaped\n');
      return build(folder);
    });
    await engine.docker('image', 'ls');
    const { code } = await new Promise<{ code: number }>((resolve) => {
      engine.dockerWith(layer, 'import', '-', 'hostile').then(
        () => resolve({ code: 0 }),
        () => resolve({ code: 1 }),
      );
    });
    assert.throws(() => execFileSync('ls', ['/tmp/ls-escaped'], { stdio: 'pipe' }));
    if (code === 0) await docker('rmi', 'hostile');
  });
}

test('a layer that writes through a symlink stays inside', async () => {
  const link = inFolder((folder) => {
    execFileSync('ln', ['-s', '/tmp', join(folder, 'out')]);
    return tarOf(folder);
  });
  const through = layerOf({ 'out/ls-through-link': 'escaped\n' });
  await engine.docker('image', 'ls');
  await engine.dockerWith(savedArchive('linked:1', [busyboxTar(), link, through]), 'load').catch(() => {});
  assert.throws(() => execFileSync('ls', ['/tmp/ls-through-link'], { stdio: 'pipe' }));
});

test('what is no archive is refused in one line, and the engine goes on', async () => {
  await assert.rejects(engine.dockerWith(Buffer.from('this is no archive'), 'load'));
  await assert.rejects(engine.dockerWith(Buffer.alloc(100_000, 7), 'import', '-', 'noise'));
  assert.equal(await docker('run', '--rm', 'busybox', 'echo', 'fine'), 'fine\n');
});

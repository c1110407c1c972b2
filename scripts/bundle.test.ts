import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';

const bundler = join(import.meta.dirname, 'bundle.ts');

/** A project with these files. */
function project(t: TestContext, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'longshore-bundle-'));
  t.after(() => rmSync(root, { recursive: true }));
  symlinkSync(join(import.meta.dirname, '../node_modules'), join(root, 'node_modules'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

function bundle(root: string) {
  return spawnSync(process.execPath, [bundler, root], { encoding: 'utf8' });
}

function start(root: string, program: string): string {
  return execFileSync(process.execPath, [join(root, 'dist', program)], { encoding: 'utf8' });
}

const says = (text: string) => `import { text } from '../../kit/text.ts'; console.log(text, '${text}');`;
const kit = { 'kit/text.ts': "export const text: string = 'this is';" };

test('each role becomes a program that needs nothing but dist', (t) => {
  const root = project(t, {
    ...kit,
    'services/graph/main.ts': says('graph'),
    'services/daemon/main.ts': says('daemon'),
    'services/embedded.ts': says('all').replace('../../kit', '../kit'),
    'gateway/main.ts': "import { text } from '../kit/text.ts'; console.log(text, 'gateway');",
  });
  assert.equal(bundle(root).stderr, '');
  for (const folder of ['services', 'gateway', 'kit', 'node_modules']) rmSync(join(root, folder), { recursive: true });
  assert.equal(start(root, 'graph.cjs'), 'this is graph\n');
  assert.equal(start(root, 'daemon.cjs'), 'this is daemon\n');
  assert.equal(start(root, 'embedded.cjs'), 'this is all\n');
  assert.equal(start(root, 'gateway.cjs'), 'this is gateway\n');
});

test('workers, other roles and files named by URL are found in the bundles', (t) => {
  const root = project(t, {
    'kit/table.txt': 'table',
    'kit/read.ts': `import { readFileSync } from 'node:fs';
      export const table = () => readFileSync(new URL('./table.txt', import.meta.url), 'utf8');`,
    'services/volume/main.ts': "console.log('volume')",
    'services/graph/tar/read-worker.ts': `import { table } from '../../../kit/read.ts';
      import { parentPort } from 'node:worker_threads';
      parentPort?.postMessage('worker with ' + table());`,
    'services/graph/main.ts': `import { Worker } from 'node:worker_threads';
      new Worker(new URL('./tar/read-worker.ts', import.meta.url)).on('message', (said: string) => console.log(said));
      console.log(new URL('../volume/main.ts', import.meta.url).pathname.split('/').slice(-2).join('/'));`,
  });
  assert.equal(bundle(root).stderr, '');
  rmSync(join(root, 'services'), { recursive: true });
  assert.equal(start(root, 'graph.cjs'), 'dist/volume.cjs\nworker with table\n');
});

test('what V8 made of a bundle is there before the first start', (t) => {
  const root = project(t, { ...kit, 'services/graph/main.ts': says('graph') });
  bundle(root);
  assert.notEqual(readdirSync(join(root, 'dist/.cache')).length, 0);
});

test('what has no source any more leaves dist', (t) => {
  const root = project(t, {
    ...kit,
    'services/graph/main.ts': says('graph'),
    'services/volume/main.ts': says('volume'),
  });
  bundle(root);
  rmSync(join(root, 'services/volume'), { recursive: true });
  bundle(root);
  assert.deepEqual(readdirSync(join(root, 'dist')).sort(), ['.cache', '.stamp', 'graph.bundle.cjs', 'graph.cjs']);
});

test('a program that cannot even print its help fails the bundling', (t) => {
  const root = project(t, { 'services/graph/main.ts': "throw new Error('broken at once');" });
  const { status, stderr } = bundle(root);
  assert.equal(status, 1);
  assert.match(stderr, /broken at once/);
  assert.ok(!existsSync(join(root, 'dist/.stamp')));
});

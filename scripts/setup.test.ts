import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';

const tools = ['cat', 'chmod', 'cmp', 'cp', 'dirname', 'find', 'head', 'mkdir', 'mktemp', 'rm', 'sh'];
const hostPrograms = ['crun', 'conmon', 'catatonit', 'nft', 'iptables', 'ip', 'busybox'];

/** A checkout on a host with these programs; npm and apt-get are played, and keep a log of what they were told. */
class Host {
  readonly root = mkdtempSync(join(tmpdir(), 'longshore-setup-'));

  constructor(has: readonly string[], uid = 0) {
    mkdirSync(join(this.root, 'bin'));
    mkdirSync(join(this.root, 'scripts'));
    // The real script looks into the host's sbin folders too, which are not this host's.
    const script = readFileSync(join(import.meta.dirname, 'setup'), 'utf8').replace(':/usr/sbin:/sbin', '');
    writeFileSync(join(this.root, 'scripts/setup'), script);
    writeFileSync(join(this.root, 'scripts/bundle'), '');
    writeFileSync(join(this.root, 'package-lock.json'), '{}');
    for (const tool of tools) {
      const path = (process.env.PATH ?? '')
        .split(delimiter)
        .map((folder) => join(folder, tool))
        .find(existsSync);
      assert.ok(path, `${tool} is needed`);
      symlinkSync(path, join(this.root, 'bin', tool));
    }
    for (const name of has) this.program(name, '');
    this.program('id', `echo ${uid}`);
    this.program('node', 'echo v20.1.0');
    this.program('npm', 'echo npm $1 >>log; mkdir -p node_modules');
  }

  program(name: string, text: string): void {
    writeFileSync(join(this.root, 'bin', name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(this.root, 'bin', name), 0o755);
  }

  setup() {
    const env = { PATH: join(this.root, 'bin') };
    return spawnSync('/bin/sh', ['scripts/setup', '--for-tests'], { cwd: this.root, encoding: 'utf8', env });
  }

  log(): string {
    return existsSync(join(this.root, 'log')) ? readFileSync(join(this.root, 'log'), 'utf8') : '';
  }
}

function host(t: TestContext, ...given: ConstructorParameters<typeof Host>): Host {
  const made = new Host(...given);
  t.after(() => rmSync(made.root, { recursive: true }));
  return made;
}

const without = (name: string) => hostPrograms.filter((program) => program !== name);

test('the npm packages are installed once, and again when the lock file changes', (t) => {
  const here = host(t, hostPrograms);
  assert.match(here.setup().stdout, /^setup: npm ci$/m);
  const again = here.setup();
  assert.deepEqual([again.status, again.stdout, again.stderr], [0, '', '']);
  writeFileSync(join(here.root, 'package-lock.json'), '{ "changed": true }');
  here.setup();
  assert.equal(here.log(), 'npm ci\nnpm ci\n');
});

test('packages that were installed by hand are taken as they are', (t) => {
  const here = host(t, hostPrograms);
  mkdirSync(join(here.root, 'node_modules'));
  writeFileSync(join(here.root, 'node_modules/.package-lock.json'), '{}');
  utimesSync(join(here.root, 'package-lock.json'), 1, 1);
  assert.equal(here.setup().status, 0);
  assert.equal(here.log(), '');
});

test('a Node that is too old is named, and nothing is done', (t) => {
  const here = host(t, hostPrograms);
  here.program('node', 'echo v18.19.0');
  const { status, stderr } = here.setup();
  assert.equal(status, 1);
  assert.match(stderr, /Node 20 or newer is needed first; .*node is v18\.19\.0/);
  assert.equal(here.log(), '');
});

test('root gets what the host lacks', (t) => {
  const here = host(t, without('conmon'));
  here.program('apt-get', 'echo "apt-get $1" >>log; for last; do :; done; echo >bin/$last; chmod +x bin/$last');
  const { status, stdout } = here.setup();
  assert.equal(status, 0);
  assert.match(stdout, /^setup: apt-get install.* conmon/m);
  assert.equal(here.log(), 'npm ci\napt-get install\n');
  assert.equal(here.setup().stdout, '');
});

test('package lists that are empty are fetched, once', (t) => {
  const here = host(t, without('conmon'));
  here.program(
    'apt-get',
    `echo "apt-get $1" >>log
     case $1 in
       update) echo >lists ;;
       *) [ -e lists ] || { echo "E: Unable to locate package"; exit 100; } ;;
     esac`,
  );
  assert.equal(here.setup().status, 0);
  assert.equal(here.log(), 'npm ci\napt-get install\napt-get update\napt-get install\n');
});

test('what apt-get says is shown when it fails', (t) => {
  const here = host(t, without('conmon'));
  here.program('apt-get', 'echo "E: no network"; exit 100');
  const { status, stderr } = here.setup();
  assert.equal(status, 1);
  assert.match(stderr, /E: no network\nsetup: apt-get could not install.* conmon/);
});

test('a person without root is told the one line to run', (t) => {
  const here = host(t, without('conmon'), 1000);
  here.program('apt-get', 'echo "apt-get $1" >>log');
  const { status, stderr } = here.setup();
  assert.equal(status, 1);
  assert.match(stderr, /^ {2}sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends.* conmon.*'$/m);
  assert.equal(here.log(), 'npm ci\n');
});

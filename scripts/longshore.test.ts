import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';

const longshore = join(import.meta.dirname, '../bin/longshore');

/** A folder in place of dist/, with these programs. */
function programs(t: TestContext, sources: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-dist-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, source] of Object.entries(sources)) writeFileSync(join(folder, `${name}.cjs`), source);
  return folder;
}

function run(args: readonly string[], dist = '/nonexistent') {
  return spawnSync(longshore, args, {
    encoding: 'utf8',
    env: { ...process.env, LONGSHORE_DIST: dist },
    timeout: 20_000,
  });
}

interface Supervised {
  process: ChildProcess;
  /** The next line on standard output. */
  line(): Promise<string>;
  /** All that was written to standard error. */
  complaints(): string;
  /** Standard error holds this now. */
  complained(about: string): Promise<void>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

function supervise(t: TestContext, coordinator: string, args: readonly string[] = []): Supervised {
  const dist = programs(t, { daemon: coordinator });
  const child = spawn(longshore, ['daemon', ...args], {
    env: { ...process.env, LONGSHORE_DIST: dist },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  t.after(async () => {
    if (child.exitCode === null) child.kill('SIGTERM');
    await ended;
  });
  const complained = async (about: string) => {
    while (!complaints.includes(about)) await once(child.stderr, 'data');
  };
  const line = async () => String((await lines.next()).value);
  return { process: child, line, complaints: () => complaints, complained, ended };
}

/** Says its pid, stays, and leaves with 0 when told to. */
const patient = `
  process.on('SIGTERM', () => { console.log('TERM'); process.exit(0); });
  console.log(process.pid);
  setInterval(() => {}, 1000);
`;

/** Says its pid and dies of a signal by itself. */
const shortLived = `console.log(process.pid); process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);`;

test('help names every role and shows how to start', () => {
  const { status, stdout } = run(['--help']);
  assert.equal(status, 0);
  for (const role of ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network', 'gateway', 'doctor']) {
    assert.match(stdout, new RegExp(`^  ${role} `, 'm'));
  }
  assert.match(stdout, /sudo longshore daemon/);
});

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    version: string;
  };
  assert.equal(run(['--version']).stdout, `${version}\n`);
});

test('an unknown role ends with 2 and says where to look', () => {
  const { status, stderr } = run(['demon']);
  assert.equal(status, 2);
  assert.match(stderr, /'demon'.*longshore --help/);
});

test('without a role the help goes to standard error, with 2', () => {
  const { status, stdout, stderr } = run([]);
  assert.deepEqual([status, stdout], [2, '']);
  assert.match(stderr, /^Usage:/m);
});

test('a missing bundle is named, with what to run', () => {
  const { status, stderr } = run(['graph']);
  assert.equal(status, 1);
  assert.match(stderr, /nonexistent\/graph\.cjs is missing: run 'npm run setup'/);
});

test('doctor says of each thing whether it is there, and fails when one is not', () => {
  const { status, stdout } = run(['doctor']);
  assert.equal(status, 1);
  assert.match(stdout, /^ok +node +v26\.10\./m);
  assert.match(stdout, /^missing +bundles +run 'npm run setup'/m);
  for (const part of ['crun', 'conmon', 'nft', 'overlay', 'cgroups', 'root']) {
    assert.match(stdout, new RegExp(`^(ok|missing) +${part} `, 'm'));
  }
});

test('doctor says why a Node that is there cannot run', (t) => {
  const home = mkdtempSync(join(tmpdir(), 'longshore-home-'));
  t.after(() => rmSync(home, { recursive: true }));
  for (const file of ['bin/longshore', 'scripts/pinned-node.sh']) {
    cpSync(join(import.meta.dirname, '..', file), join(home, file));
  }
  for (const platform of ['x64', 'arm64']) {
    mkdirSync(join(home, `node_modules/node-linux-${platform}/bin`), { recursive: true });
    const broken = '#!/bin/sh\necho "libatomic.so.1: cannot open shared object file" >&2\nexit 127\n';
    writeFileSync(join(home, `node_modules/node-linux-${platform}/bin/node`), broken, { mode: 0o755 });
  }
  const { status, stdout } = spawnSync(join(home, 'bin/longshore'), ['doctor'], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stdout, /^missing +node .* cannot run here: libatomic\.so\.1: cannot open/m);
});

test('it is found through links', (t) => {
  const folder = programs(t, { graph: "console.log('graph')" });
  symlinkSync(longshore, join(folder, 'one'));
  symlinkSync('one', join(folder, 'two'));
  const { stdout } = spawnSync(join(folder, 'two'), ['graph'], {
    encoding: 'utf8',
    env: { ...process.env, LONGSHORE_DIST: folder },
  });
  assert.equal(stdout, 'graph\n');
});

test('the command line of a role shows its data root, given or not', (t) => {
  const dist = programs(t, { volume: "console.log(process.argv.slice(2).join(' '))" });
  assert.equal(
    run(['volume', '--log-level', 'warn'], dist).stdout,
    '--log-level warn --data-root /var/lib/longshore\n',
  );
  assert.equal(run(['volume', '--data-root=/srv/a'], dist).stdout, '--data-root=/srv/a\n');
  assert.equal(run(['volume', '--data-root', '/srv/a b'], dist).stdout, '--data-root /srv/a b\n');
});

test('a data root in the configuration file is not given again', (t) => {
  const dist = programs(t, { daemon: "console.log(process.argv.slice(2).join(' '))" });
  const file = join(dist, 'daemon.json');
  writeFileSync(file, '{ "data-root": "/srv/b" }');
  assert.equal(run(['daemon', '--config-file', file], dist).stdout, `--config-file ${file}\n`);
  writeFileSync(file, '{}');
  assert.equal(
    run(['daemon', '--config-file', file], dist).stdout,
    `--config-file ${file} --data-root /var/lib/longshore\n`,
  );
  assert.equal(run(['daemon', '-g', '/srv/c'], dist).stdout, '-g /srv/c\n');
});

test('the embedded engine is a program of its own', (t) => {
  const dist = programs(t, { daemon: "console.log('split')", embedded: "console.log('embedded')" });
  assert.equal(run(['daemon', '--embedded'], dist).stdout, 'embedded\n');
  assert.equal(run(['daemon'], dist).stdout, 'split\n');
  writeFileSync(join(dist, 'daemon.json'), '{\n  "embedded": true\n}\n');
  assert.equal(run(['daemon', `--config-file=${join(dist, 'daemon.json')}`], dist).stdout, 'embedded\n');
});

test('what Node calls experimental is no news to users', (t) => {
  const dist = programs(t, { network: "require('node:sqlite'); process.emitWarning('x', 'ExperimentalWarning');" });
  const { status, stderr } = run(['network'], dist);
  assert.deepEqual([status, stderr], [0, '']);
});

test('--validate is not supervised: a death by signal is passed on', (t) => {
  const { signal, stderr } = run(['daemon', '--validate'], programs(t, { daemon: shortLived }));
  assert.deepEqual([signal, stderr], ['SIGKILL', '']);
});

test('a coordinator that ends by itself is not started again; its exit code is passed on', (t) => {
  for (const code of [0, 3, 125]) {
    const { status, stderr } = run(['daemon'], programs(t, { daemon: `process.exit(${code})` }));
    assert.deepEqual([status, stderr], [code, '']);
  }
});

test('a coordinator killed with -9 is back at once, and one line says so', async (t) => {
  const { process: supervisor, line, complaints, ended } = supervise(t, patient);
  const first = Number(await line());
  process.kill(first, 'SIGKILL');
  const second = Number(await line());
  assert.notEqual(second, first);
  supervisor.kill('SIGTERM');
  assert.equal(await line(), 'TERM');
  assert.deepEqual(await ended, { code: 0, signal: null });
  assert.equal(complaints(), `longshore: the coordinator (pid ${first}) was killed by SIGKILL; starting it again\n`);
});

test('a coordinator that keeps being killed is started again later and later', async (t) => {
  const { process: supervisor, line, complaints, ended } = supervise(t, shortLived);
  for (let start = 0; start < 4; start++) await line();
  supervisor.kill('SIGTERM');
  assert.notEqual((await ended).code, 0);
  const delays = [...complaints().matchAll(/starting it again(?: in (\d+) ms)?\n/g)].map((match) => match[1]);
  assert.deepEqual(delays.slice(0, 3), [undefined, '100', '200']);
});

test('a stop between two starts does not wait for the next one', async (t) => {
  const { process: supervisor, complained, ended, complaints } = supervise(t, shortLived);
  await complained('again in 800 ms');
  const asked = performance.now();
  supervisor.kill('SIGTERM');
  assert.equal((await ended).code, 128 + 9);
  assert.ok(performance.now() - asked < 700);
  assert.match(complaints(), /stopped by SIGTERM while the coordinator was down/);
});

test('a coordinator killed while it stops is not started again', async (t) => {
  const {
    process: supervisor,
    line,
    ended,
    complaints,
  } = supervise(
    t,
    `process.on('SIGTERM', () => process.kill(process.pid, 'SIGKILL')); console.log('up'); setInterval(() => {}, 1000);`,
  );
  assert.equal(await line(), 'up');
  supervisor.kill('SIGTERM');
  assert.deepEqual(await ended, { code: 128 + 9, signal: null });
  assert.match(
    complaints(),
    /^longshore: the coordinator \(pid \d+\) was killed by SIGKILL while it was stopping.*\n$/,
  );
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} reaches the coordinator, whose exit code is the answer`, async (t) => {
    const {
      process: supervisor,
      line,
      ended,
      complaints,
    } = supervise(
      t,
      `process.on('SIGTERM', () => setTimeout(() => process.exit(7), 50)); console.log('up'); setInterval(() => {}, 1000);`,
    );
    assert.equal(await line(), 'up');
    supervisor.kill(signal);
    assert.deepEqual(await ended, { code: 7, signal: null });
    assert.equal(complaints(), '');
  });
}

test('a stop is not lost on a coordinator that does not listen yet', async (t) => {
  const { process: supervisor, line, ended } = supervise(t, "console.log('up'); setInterval(() => {}, 1000);");
  assert.equal(await line(), 'up');
  supervisor.kill('SIGINT');
  assert.deepEqual(await ended, { code: 128 + 15, signal: null });
});

test('a stop that comes while the coordinator is being started is not lost', { timeout: 30_000 }, async (t) => {
  // Is killed once, and stays the second time.
  const killedOnce = `
    const { existsSync, writeFileSync } = require('node:fs');
    if (!existsSync(__filename + '.seen')) { writeFileSync(__filename + '.seen', ''); process.kill(process.pid, 'SIGKILL'); }
    setInterval(() => {}, 1000);`;
  for (let round = 0; round < 20; round++) {
    const { process: supervisor, complained, ended } = supervise(t, killedOnce);
    await complained('starting it again\n');
    supervisor.kill('SIGTERM');
    assert.ok(((await ended).code ?? 0) > 128);
  }
});

test('a Ctrl-C, which signals the whole foreground group, reaches the coordinator once', async (t) => {
  const dist = programs(t, {
    daemon: `
      let times = 0;
      for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => {
        if (times++ === 0) setTimeout(() => { console.log(times); process.exit(0); }, 200);
      });
      console.log('up'); setInterval(() => {}, 1000);`,
  });
  const child = spawn(longshore, ['daemon'], {
    detached: true, // leads a group, as a terminal's foreground job does
    env: { ...process.env, LONGSHORE_DIST: dist },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'up');
  assert.ok(child.pid !== undefined);
  process.kill(-child.pid, 'SIGINT');
  assert.equal((await lines.next()).value, '1');
  assert.deepEqual(await once(child, 'close'), [0, null]);
});

test('a hang-up goes on to the coordinator: the engine outlives its terminal', async (t) => {
  const {
    process: supervisor,
    line,
    ended,
  } = supervise(t, `process.on('SIGHUP', () => console.log('HUP'));${patient}`);
  const first = await line();
  supervisor.kill('SIGHUP');
  assert.equal(await line(), 'HUP');
  process.kill(Number(first), 'SIGKILL'); // still supervised
  assert.match(await line(), /^\d+$/);
  supervisor.kill('SIGTERM');
  assert.equal((await ended).code, 0);
});

test('many signals at once end in one clean stop', async (t) => {
  const {
    process: supervisor,
    line,
    ended,
  } = supervise(
    t,
    `process.on('SIGTERM', () => setTimeout(() => process.exit(5), 100));
     process.on('SIGHUP', () => {});
     console.log('up'); setInterval(() => {}, 1000);`,
  );
  assert.equal(await line(), 'up');
  for (let round = 0; round < 20; round++) supervisor.kill(round % 2 === 0 ? 'SIGHUP' : 'SIGTERM');
  assert.deepEqual(await ended, { code: 5, signal: null });
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { seeded, times } from '../seed.ts';

const all = ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network', 'gateway'];
/** In turn. */
const deaths = [['execdriver'], ['daemon'], ['gateway'], all];
const writers = Array.from({ length: 20 }, (_, at) => `writer-${at}`);
/** Every verb must work again so soon after a death, by itself; what lives, and boots, take on this machine comes on top. */
const backWithinMs = 2_000;

let engine: Engine;
let lifeMs: number;
let bootMs: number;
const chance = seeded('writers');
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);

before(async () => {
  engine = await bootEngine();
  bootMs = Number(/Longshore is up \((\d+) ms\)/.exec(engine.output())?.[1]);
  await importBusybox(engine);
  const script = 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done';
  for (const name of writers) await docker('run', '-d', '--name', name, 'busybox', 'sh', '-c', script);
  await life('warm-up', 0);
  const begun = Date.now();
  assert.equal(await life('measured', 3), 'whole');
  lifeMs = Date.now() - begun;
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

/**
 * The verbs on one container, which ends by itself with `code`. May be cut by a death, and then says what it saw; an exit
 * code that is told must be true.
 */
async function life(name: string, code: number): Promise<string> {
  const steps: [words: string[], expected: string | undefined][] = [
    [
      ['create', '--name', name, '-v', '/v', '-p', '0:80', 'busybox', 'sh', '-c', `sleep 1000; exit ${code}`],
      undefined,
    ],
    [['update', '--restart', 'no', name], undefined],
    [['start', name], undefined],
    [['inspect', name], undefined],
    [['stop', '-t', '0', name], undefined],
    [['wait', name], undefined],
    [['rm', '-v', name], undefined],
    [['run', '-d', '--name', name, 'busybox', 'sh', '-c', `sleep 0.1; exit ${code}`], undefined],
    [['wait', name], `${code}\n`],
    [['rm', name], undefined],
  ];
  for (const [words, expected] of steps) {
    const { code: failed, stdout, stderr } = await engine.docker(...words);
    // What was made for a container that is there is never taken for what a crash has left.
    assert.doesNotMatch(stderr, /there is no layer|run\/netns/);
    if (failed !== 0) return `${words[0]}: ${stderr.trim()}`;
    if (expected !== undefined) assert.equal(stdout, expected, `docker ${words.join(' ')}`);
  }
  return 'whole';
}

function kill(roles: readonly string[]): number {
  const pids = roles.map((role) => engine.pidOf(role));
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  return Date.now();
}

/** Lives are begun until one is whole; gives how long after the death that was. */
async function worksAgain(name: string, code: number, killed: number): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const seen = await life(`${name}-${attempt}`, code);
    const took = Date.now() - killed;
    if (seen === 'whole') return took;
    assert.ok(took < 30_000, `nothing works ${took} ms after the death: ${seen}\n${engine.output().slice(-4000)}`);
    await engine.docker('rm', '-f', '-v', `${name}-${attempt}`);
  }
}

async function assertWritersIntact(pids: string): Promise<void> {
  assert.equal(await docker('inspect', '-f', '{{.State.Pid}}', ...writers), pids);
  for (const name of writers) {
    const lines = (await docker('logs', name)).trimEnd().split('\n');
    lines.forEach((line, at) => {
      assert.equal(line, `line ${at + 1}`, `${name}: line ${at + 1}`);
    });
  }
}

test(`${times(200)} deaths while 20 containers write: none dies, no line is lost or doubled, exit codes are true`, async (t) => {
  const pids = await docker('inspect', '-f', '{{.State.Pid}}', ...writers);
  const late: string[] = [];
  let slowest = 0;
  for (let round = 0; round < times(200); round++) {
    const roles = deaths[round % deaths.length] ?? all;
    const who = roles === all ? 'all seven' : roles.join(' ');
    const code = chance.between(1, 100);
    // Ends while they are dead, or just before or after.
    const ends = `ends-${round}`;
    const ending = await docker('run', '-d', '--name', ends, 'busybox', 'sh', '-c', `sleep 0.3; exit ${code}`);
    const cut = life(`cut-${round}`, code);
    await delay(chance.between(0, 400));
    const killed = kill(roles);
    const took = await worksAgain(`again-${round}`, code, killed);
    slowest = Math.max(slowest, took);
    if (took > backWithinMs + 3 * lifeMs + (roles === all ? bootMs : 0))
      late.push(`round ${round}, ${who}: ${took} ms`);
    await cut;
    await until(async () => (await docker('inspect', '-f', '{{.State.Status}}', ends)) === 'exited\n', 10_000);
    assert.equal(await docker('inspect', '-f', '{{.State.ExitCode}}', ends), `${code}\n`, `${who}: ${ending}`);
    const left = (await docker('ps', '-aq', '--filter', 'name=^/(cut|again|ends)-')).split('\n').filter(Boolean);
    if (left.length > 0) await docker('rm', '-f', '-v', ...left);
  }
  t.diagnostic(`a life takes ${lifeMs} ms, a boot ${bootMs}; the slowest whole life ended ${slowest} ms after a death`);
  await assertWritersIntact(pids);
  assert.deepEqual(late, [], `a life takes ${lifeMs} ms, a boot ${bootMs}`);
});

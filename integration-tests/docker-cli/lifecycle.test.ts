import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine, until } from '../engine.ts';
import { busyboxTar, importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const inspect = async (format: string, name: string) => (await docker('inspect', '-f', format, name)).trim();
const refusal = async (...args: string[]) => {
  const { code, stderr } = await engine.docker(...args);
  assert.notEqual(code, 0, args.join(' '));
  return stderr.trim();
};
const started = async (name: string, ...args: string[]) => (await docker('run', '-d', '--name', name, ...args)).trim();

/** Says which signals it gets, and ends by the one that is named. */
const tells = (end: string) =>
  `for s in HUP USR1 USR2 TERM QUIT; do trap "echo $s" $s; done; trap 'echo ${end}; exit 7' ${end}; ` +
  'echo ready; while :; do sleep 0.02; done';
const saying = (name: string, words: string) => until(async () => (await docker('logs', name)).includes(words), 10_000);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

test('stop sends the signal of the request, the container or the image, and SIGKILL when its time is up', async () => {
  await engine.dockerWith(busyboxTar(), 'import', '--change', 'STOPSIGNAL SIGUSR2', '-', 'quits');
  for (const [name, image, flags, stop, end] of [
    ['by-request', 'busybox', [], ['-s', 'USR1'], 'USR1'],
    ['by-container', 'quits', ['--stop-signal', 'QUIT'], [], 'QUIT'],
    ['by-image', 'quits', [], [], 'USR2'],
    ['by-itself', 'busybox', [], ['-t', '-1'], 'TERM'],
  ] as const) {
    await started(name, ...flags, image, 'sh', '-c', tells(end));
    await saying(name, 'ready');
    await docker('stop', ...stop, name);
    assert.deepEqual(
      [await docker('logs', name), await inspect('{{.State.ExitCode}}', name)],
      [`ready\n${end}\n`, '7'],
      name,
    );
  }
  await started('deaf', '--stop-timeout', '0', 'busybox', 'sh', '-c', tells('USR1'));
  await saying('deaf', 'ready');
  await docker('stop', 'deaf');
  assert.equal(await inspect('{{.State.ExitCode}} {{.State.OOMKilled}}', 'deaf'), '137 false');
  // More milliseconds than a timer takes.
  await started('late', 'busybox', 'sh', '-c', tells('TERM'));
  await saying('late', 'ready');
  await docker('stop', '-t', '2147484', 'late');
  assert.equal(await inspect('{{.State.ExitCode}}', 'late'), '7');
  await docker('rm', 'by-request', 'by-container', 'by-image', 'by-itself', 'deaf', 'late');
});

test('kill sends any signal, thaws for one that may end it, and refuses what does not run', async () => {
  const id = await started('target', 'busybox', 'sh', '-c', tells('TERM'));
  await saying('target', 'ready');
  await docker('kill', '-s', 'SIGUSR1', 'target');
  await saying('target', 'USR1');
  await docker('kill', '-s', '1', 'target');
  await saying('target', 'HUP');
  await docker('pause', 'target');
  await docker('kill', '-s', 'USR2', 'target');
  await saying('target', 'USR2');
  assert.equal(await inspect('{{.State.Status}}', 'target'), 'running');
  await docker('pause', 'target');
  await docker('kill', '-s', 'TERM', 'target');
  assert.equal((await docker('wait', 'target')).trim(), '7');
  const prefix = 'Error response from daemon: cannot kill container: target';
  assert.equal(await refusal('kill', 'target'), `${prefix}: container ${id} is not running`);
  assert.equal(await refusal('kill', '-s', 'NOPE', 'target'), `${prefix}: invalid signal: NOPE`);
  await docker('rm', 'target');
});

test('pause and unpause say what they cannot do; a paused container is neither started, attached to nor removed', async () => {
  const id = await started('frozen', 'busybox', 'sleep', '1000');
  const says = async (...args: string[]) => (await refusal(...args)).replace('Error response from daemon: ', '');
  assert.equal(await says('unpause', 'frozen'), `Container ${id} is not paused`);
  await docker('pause', 'frozen');
  assert.match(readFileSync(`/proc/${await inspect('{{.State.Pid}}', 'frozen')}/status`, 'utf8'), /^State:\s+D/m);
  assert.equal(await says('pause', 'frozen'), `Container ${id} is already paused`);
  assert.match(await says('start', 'frozen'), /^cannot start a paused container, try unpause instead/);
  assert.equal(await says('exec', 'frozen', 'true'), 'Container frozen is paused, unpause the container before exec');
  assert.match(await says('attach', 'frozen'), /[Yy]ou cannot attach to a paused container, unpause it first/);
  assert.equal(
    await says('rm', 'frozen'),
    'cannot remove container "frozen": container is paused and must be unpaused first',
  );
  assert.match(await docker('ps'), /\(Paused\)/);
  await docker('stop', '-t', '0', 'frozen');
  assert.equal(await says('pause', 'frozen'), `container ${id} is not running`);
  assert.equal(await says('exec', 'frozen', 'true'), `container ${id} is not running`);
  await docker('rm', 'frozen');
});

test('many who wait are told one exit; a wait for the next one outlasts a restart, one for the removal the exit', async () => {
  await started('awaited', 'busybox', 'sh', '-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.02; done');
  await saying('awaited', 'ready');
  const waiting = Array.from({ length: 8 }, () => docker('wait', 'awaited'));
  const removed = docker('run', '--rm', '--name', 'brief', 'busybox', 'sh', '-c', 'sleep 0.3');
  await docker('stop', 'awaited');
  assert.deepEqual(await Promise.all(waiting), Array(8).fill('5\n'));
  assert.equal(await docker('wait', 'awaited'), '5\n');
  await removed;
  assert.match(await refusal('wait', 'brief'), /No such container: brief/);
  await docker('rm', 'awaited');
});

test('restart keeps the container and counts no restart; a name is taken or free', async () => {
  const id = await started('once', 'busybox', 'sleep', '1000');
  const before = await inspect('{{.State.Pid}} {{.State.StartedAt}}', 'once');
  await docker('restart', '-t', '0', 'once');
  assert.notEqual(await inspect('{{.State.Pid}} {{.State.StartedAt}}', 'once'), before);
  assert.equal(await inspect('{{.Id}} {{.RestartCount}}', 'once'), `${id} 0`);
  await docker('create', '--name', 'other', 'busybox', 'true');
  const said = 'Error response from daemon: ';
  assert.equal(
    (await refusal('rename', 'other', 'once')).split('\n')[0],
    `${said}Error when allocating new name: Conflict. The container name "/once" is already in use by container ` +
      `"${id}". You have to remove (or rename) that container to be able to reuse that name.`,
  );
  assert.match(await refusal('rename', 'other', 'no good'), /Error when allocating new name: Invalid container name/);
  assert.match(
    await refusal('rename', 'other', 'other'),
    /Renaming a container with the same name as its current name/,
  );
  await docker('rename', 'once', 'twice');
  await docker('rename', 'other', 'once');
  assert.equal(await inspect('{{.Name}}', id), '/twice');
  await docker('rm', '-f', 'once', 'twice');
});

test('rm -f ends what runs, -v takes the anonymous volumes along and no others, and without -f nothing goes', async () => {
  await started('kept', '-v', '/anonymous', '-v', 'named:/named', 'busybox', 'sleep', '1000');
  const volume = await inspect('{{range .Mounts}}{{if eq .Destination "/anonymous"}}{{.Name}}{{end}}{{end}}', 'kept');
  const pid = await inspect('{{.State.Pid}}', 'kept');
  assert.match(
    await refusal('rm', 'kept'),
    /cannot remove container "kept": container is running: stop the container before removing or force remove$/,
  );
  await docker('rm', '-f', '-v', 'kept');
  assert.throws(() => readFileSync(`/proc/${pid}/status`));
  const volumes = (await docker('volume', 'ls', '-q')).split('\n');
  assert.deepEqual([volumes.includes(volume), volumes.includes('named')], [false, true]);
  await docker('run', '-d', '--name', 'loose', '-v', '/anonymous', 'busybox', 'sleep', '1000');
  const left = await inspect('{{range .Mounts}}{{.Name}}{{end}}', 'loose');
  await docker('rm', '-f', 'loose');
  assert.match(await docker('volume', 'ls', '-q'), new RegExp(left));
  // As Docker's client: what is not there is no error with -f.
  assert.equal((await engine.docker('rm', '-f', 'loose')).code, 0);
  assert.match(await refusal('rm', 'loose'), /No such container: loose/);
  await docker('volume', 'rm', left, 'named');
});

test('links follow renames, inspect shows them, and rm -l takes one away', async () => {
  await started('db', 'busybox', 'sleep', '1000');
  await started('web', '--link', 'db:store', 'busybox', 'sleep', '1000');
  assert.equal(await inspect('{{json .HostConfig.Links}}', 'web'), '["/db:/web/store"]');
  await docker('rename', 'db', 'pg');
  await docker('rename', 'web', 'front');
  assert.equal(await inspect('{{json .HostConfig.Links}}', 'front'), '["/pg:/front/store"]');
  assert.equal(await inspect('{{.Name}}', 'front/store'), '/pg');
  await docker('restart', '-t', '0', 'front');
  assert.match(await docker('exec', 'front', 'cat', '/etc/hosts'), /\sstore \S+ pg$/m);
  assert.match(await refusal('rm', '-l', 'pg'), /Conflict, cannot remove the default link name of the container/);
  assert.match(await refusal('rm', '-l', 'nobody/store'), /Cannot get parent \/nobody for link name \/nobody\/store/);
  await docker('rm', '-l', 'front/store');
  assert.match(await refusal('rm', '-l', 'front/store'), /No such container: front\/store/);
  assert.equal(await inspect('{{json .HostConfig.Links}}', 'front'), 'null');
  await docker('restart', '-t', '0', 'front');
  assert.doesNotMatch(await docker('exec', 'front', 'cat', '/etc/hosts'), /store/);
  assert.equal(await inspect('{{.State.Status}}', 'pg'), 'running');
  await docker('rm', '-f', 'front', 'pg');
});

test('--init reaps orphans, hands signals on, and gives the command’s exit code', async () => {
  // The inner shell goes before its child, which is then pid 1's; without an init it stays a zombie.
  const script = '(sh -c "sleep 0.05 & exec true"); trap "exit 9" TERM; echo ready; while :; do sleep 0.02; done';
  await started('guarded', '--init', 'busybox', 'sh', '-c', script);
  await saying('guarded', 'ready');
  const shown = () => docker('exec', 'guarded', 'ps', '-o', 'pid,stat,args');
  assert.match(await shown(), /^\s*1 S\S*\s+\S*init.* sh -c/m);
  await until(async () => !/^\s*\d+ \S+\s+sleep 0.05/m.test(await shown()), 5_000);
  assert.doesNotMatch(await shown(), /^\s*\d+ Z/m);
  await docker('stop', 'guarded');
  assert.equal(await inspect('{{.State.ExitCode}} {{.HostConfig.Init}}', 'guarded'), '9 true');
  await docker('rm', 'guarded');
  assert.equal((await engine.docker('run', '--rm', '--init', 'busybox', 'sh', '-c', 'exit 42')).code, 42);
});

test('a device that nobody drives is refused at the start, and the container stays as it was made', async () => {
  assert.match(
    await refusal('run', '--name', 'gpu', '--gpus', 'all', 'busybox', 'true'),
    /could not select device driver "" with capabilities: \[\[gpu\]\]/,
  );
  assert.equal(await inspect('{{.State.Status}} {{(index .HostConfig.DeviceRequests 0).Count}}', 'gpu'), 'created -1');
  await docker('rm', 'gpu');
});

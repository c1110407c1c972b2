import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { bootEngine, type Engine, inOneProcess, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { ask } from './ask.ts';

let engine: Engine;
const ids: Record<string, string> = {};
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
  for (const [name, verb] of [
    ['runs', ['run', '-d']],
    ['idle', ['create']],
  ] as const) {
    ids[name] = (await docker(...verb, '--name', name, 'busybox', 'sleep', '1000')).trim();
  }
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

const filters = (value: unknown) => `filters=${encodeURIComponent(JSON.stringify(value))}`;
const isHere = (name: string) => `container ${ids[name]} is not running`;

suite('each refusal has Docker’s status and words', () => {
  for (const [request, status, message, body] of [
    ['POST /containers/idle/kill', 409, () => `cannot kill container: idle: ${isHere('idle')}`],
    ['POST /containers/nobody/kill', 404, 'cannot kill container: nobody: No such container: nobody'],
    ['POST /containers/runs/kill?signal=0', 400, 'cannot kill container: runs: invalid signal: 0'],
    ['POST /containers/runs/kill?signal=SIGWHAT', 400, 'cannot kill container: runs: invalid signal: SIGWHAT'],
    ['POST /containers/idle/stop', 304, ''],
    ['POST /containers/runs/start', 304, ''],
    ['POST /containers/runs/stop?t=soon', 400, /^invalid t: /],
    ['POST /containers/runs/stop?signal=NOPE', 400, 'invalid signal: NOPE'],
    ['POST /containers/runs/restart?t=1e9', 400, /^invalid t: /],
    ['POST /containers/idle/pause', 409, () => isHere('idle')],
    ['POST /containers/runs/unpause', 409, () => `Container ${ids.runs} is not paused`],
    ['POST /containers/idle/exec', 409, () => isHere('idle'), '{"Cmd":["true"]}'],
    ['POST /containers/runs/exec', 400, 'No exec command specified', '{"Cmd":[]}'],
    ['POST /containers/runs/exec', 400, 'No exec command specified'],
    ['POST /containers/runs/exec', 400, /^invalid Env/, '{"Cmd":["true"],"Env":"A=1"}'],
    ['POST /containers/runs/exec', 400, /^unable to find user ghost: /, '{"Cmd":["true"],"User":"ghost"}'],
    ['GET /exec/none/json', 404, 'No such exec instance: none'],
    ['POST /exec/none/start', 404, 'No such exec instance: none', '{}'],
    ['POST /exec/none/resize?h=1&w=1', 404, 'No such exec instance: none'],
    ['GET /containers/idle/top', 409, () => isHere('idle')],
    ['GET /containers/runs/top?ps_args=-o%20user=PID', 400, 'specifying "user=PID" is not allowed'],
    ['GET /containers/runs/top?ps_args=--nonsense', 400, /^ps: /],
    ['GET /containers/nobody/stats?stream=0', 404, 'No such container: nobody'],
    ['GET /containers/runs/stats?one-shot=1', 400, 'cannot have stream=true and one-shot=true'],
    ['GET /containers/runs/logs', 400, 'Bad parameters: you must choose at least one stream'],
    ['GET /containers/runs/logs?stdout=1&since=never', 400, /^invalid since: /],
    ['POST /containers/runs/wait?condition=done', 400, 'invalid condition: "done"'],
    ['POST /containers/nobody/wait', 404, 'No such container: nobody'],
    ['POST /containers/runs/rename?name=', 400, 'Neither old nor new names may be empty'],
    [
      'POST /containers/runs/rename?name=x%2Fy',
      400,
      /^Error when allocating new name: Invalid container name \(\/x\/y\)/,
    ],
    ['POST /containers/nobody/rename?name=xy', 404, 'No such container: nobody'],
    [
      'POST /containers/runs/rename?name=idle',
      409,
      /^Error when allocating new name: Conflict\. The container name "\/idle"/,
    ],
    ['DELETE /containers/runs?link=1', 409, 'Conflict, cannot remove the default link name of the container'],
    ['DELETE /containers/nobody', 404, 'No such container: nobody'],
    [
      'POST /containers/idle/start',
      400,
      /^starting container with non-empty request body was deprecated/,
      '{"Binds":["/:/x"]}',
    ],
    ['POST /containers/runs/update', 400, 'Minimum memory limit allowed is 6MB', '{"Memory":1}'],
    ['POST /containers/runs/update', 400, /^invalid JSON: /, '{"Memory":'],
    ['POST /containers/runs/update', 400, /^invalid Memory/, '{"Memory":1e30}'],
    [
      'POST /containers/runs/update',
      400,
      /^invalid restart policy: unknown policy 'odd'/,
      '{"RestartPolicy":{"Name":"odd"}}',
    ],
    ['POST /containers/nobody/update', 404, 'No such container: nobody', '{}'],
    ['POST /containers/idle/resize?h=1&w=1', 409, () => isHere('idle')],
    ['GET /containers/json?filters=%7B', 400, 'invalid filter'],
    ['GET /containers/json?filters=7', 400, 'invalid filter'],
    [`GET /containers/json?${filters({ odd: ['x'] })}`, 400, "invalid filter 'odd'"],
    [`GET /containers/json?${filters({ exited: ['x'] })}`, 400, /^invalid filter 'exited=x'/],
    [`GET /containers/json?${filters({ name: ['('.repeat(3)] })}`, 200, ''],
    [`GET /containers/json?${filters({ name: ['(a+)+$'] })}`, 400, /^invalid filter 'name=/],
    ['GET /containers/json?limit=many', 400, /^invalid limit: /],
    ['GET /containers/json?limit=99999999999999999999', 400, /^invalid limit: /],
    [`POST /containers/prune?${filters({ odd: ['x'] })}`, 400, "invalid filter 'odd'"],
    [`POST /containers/prune?${filters({ until: ['1h', '2h'] })}`, 400, 'more than one until filter specified'],
    ['GET /events?since=20&until=10', 400, '`since` time (20) cannot be after `until` time (10)'],
    ['GET /events?since=never', 400, /^invalid since: /],
    ['GET /v1.99/info', 400, 'client version 1.99 is too new. Maximum supported API version is 1.51'],
    ['GET /v2/info', 400, 'client version 2 is too new. Maximum supported API version is 1.51'],
    [
      'GET /v1/info',
      400,
      /^client version 1 is too old. Minimum supported API version is 1\.24, please upgrade your client/,
    ],
    ['GET /v1.2.3/info', 400, /^client version 1\.2\.3 is too old/],
    ['GET /v/info', 404, 'page not found'],
    ['GET /vx.y/info', 404, 'page not found'],
    ['PATCH /containers/json', 404, 'page not found'],
    ['GET /containers/%zz/json', 400, /not well-formed/],
    [`GET /containers/${'x'.repeat(100_000)}/json`, 404, /^No such container: x/],
    [`GET /info?${'q'.repeat(500_000)}=1`, 200, ''],
  ] as [string, number, string | RegExp | (() => string), string?][]) {
    test(`${request.slice(0, 90)} ${body ?? ''}: ${status}`, async () => {
      const [method = '', path = ''] = request.split(' ');
      const answer = await ask(engine, method, path, body);
      const wanted = typeof message === 'function' ? message() : message;
      assert.equal(answer.status, status, answer.body.slice(0, 500));
      if (wanted instanceof RegExp) assert.match(answer.message, wanted);
      else assert.equal(answer.message, wanted);
      if (status >= 400) assert.deepEqual(Object.keys(JSON.parse(answer.body)), ['message']);
    });
  }

  test('a body that is said to be no JSON is not read', async () => {
    const { status, message } = await ask(engine, 'POST', '/containers/runs/exec', '{"Cmd":["true"]}', 'text/plain');
    assert.deepEqual(
      [status, message],
      [400, "unsupported Content-Type header (text/plain): must be 'application/json'"],
    );
  });
});

/** What comes back for bytes that are no request, until the engine hangs up. */
async function shout(bytes: string | Buffer): Promise<string> {
  const socket = connect(engine.host.slice('unix://'.length));
  let said = '';
  socket.on('data', (piece) => {
    said += piece;
  });
  socket.on('error', () => {});
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return said;
}

test('what is no HTTP, and heads without end, cost a connection and no more', async () => {
  assert.match(await shout('\x00\x01\x02 nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await shout('GET / HTTP/9.9\r\n\r\n'), /^HTTP\/1\.1 (400|505) /);
  assert.match(
    await shout(`GET /info HTTP/1.1\r\nHost: d\r\nX: ${'y'.repeat(3 << 20)}\r\n\r\n`),
    /^HTTP\/1\.1 431 |^$/,
  );
  assert.match(
    await shout('POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: minus\r\n\r\n'),
    /^HTTP\/1\.1 400 /,
  );
  const both = 'Content-Length: 5\r\nTransfer-Encoding: chunked';
  assert.match(await shout(`POST /containers/create HTTP/1.1\r\nHost: d\r\n${both}\r\n\r\nhello`), /^HTTP\/1\.1 400 /);
});

test('waits: next-exit is not content with an end before, removed not with an end at all', async () => {
  const { body } = await ask(
    engine,
    'POST',
    '/containers/create?name=short',
    '{"Image":"busybox","Cmd":["sh","-c","exit 6"]}',
  );
  const { Id } = JSON.parse(body) as { Id: string };
  const wait = (condition: string) => ask(engine, 'POST', `/containers/short/wait?condition=${condition}`);
  assert.equal((await wait('not-running')).body, '{"StatusCode":0,"Error":null}\n');
  const next = wait('next-exit');
  const gone = [wait('removed'), wait('removed')];
  await ask(engine, 'POST', '/containers/short/start');
  assert.equal((await next).body, '{"StatusCode":6,"Error":null}\n');
  assert.equal((await wait('not-running')).body, '{"StatusCode":6,"Error":null}\n');
  const after = wait('next-exit');
  assert.equal(await Promise.race([after, new Promise((resolve) => setTimeout(resolve, 100, 'waits'))]), 'waits');
  assert.equal((await ask(engine, 'DELETE', `/containers/${Id}`)).status, 204);
  for (const { body: said } of await Promise.all([...gone, after])) {
    assert.equal(said, '{"StatusCode":6,"Error":null}\n');
  }
});

test('after all of it the engine is as it was', async () => {
  assert.equal(await docker('ps', '-a', '--format', '{{.Names}} {{.State}}'), 'idle created\nruns running\n');
  assert.equal(await docker('run', '--rm', 'busybox', 'echo', 'fine'), 'fine\n');
  if (!inOneProcess) await until(() => engine.pidOf('gateway') > 0, 1_000);
  assert.doesNotMatch(engine.output(), /request failed|Unhandled|TypeError/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configFrom } from './changes.ts';

for (const [change, config] of [
  ['CMD ["a", "b c"]', { Cmd: ['a', 'b c'] }],
  ['cmd echo "$HOME" && true', { Cmd: ['/bin/sh', '-c', 'echo "$HOME" && true'] }],
  ['CMD [ -f x ] && y', { Cmd: ['/bin/sh', '-c', '[ -f x ] && y'] }],
  ['CMD []', { Cmd: [] }],
  ['ENTRYPOINT ["/init"]', { Entrypoint: ['/init'] }],
  ['ENTRYPOINT exec top', { Entrypoint: ['/bin/sh', '-c', 'exec top'] }],
  ['ENV A=1 B="x y" C=x\\ y D=\'$A\'', { Env: ['A=1', 'B=x y', 'C=x y', 'D=$A'] }],
  ['ENV A the rest of it', { Env: ['A=the rest of it'] }],
  [
    'EXPOSE 80 8000-8002/tcp 53/UDP',
    { ExposedPorts: { '53/udp': {}, '80/tcp': {}, '8000/tcp': {}, '8001/tcp': {}, '8002/tcp': {} } },
  ],
  ['LABEL a=b "c d"="e f"', { Labels: { a: 'b', 'c d': 'e f' } }],
  ['ONBUILD RUN make', { OnBuild: ['RUN make'] }],
  ['USER app:app', { User: 'app:app' }],
  ['VOLUME ["/a b", "/c"]', { Volumes: { '/a b': {}, '/c': {} } }],
  ['VOLUME /a /b', { Volumes: { '/a': {}, '/b': {} } }],
  ['STOPSIGNAL SIGRTMIN+3', { StopSignal: 'SIGRTMIN+3' }],
  ['STOPSIGNAL 9', { StopSignal: '9' }],
  ['HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
  [
    'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=2s --retries=3 CMD curl -f localhost',
    {
      Healthcheck: {
        Test: ['CMD-SHELL', 'curl -f localhost'],
        Interval: 90e9,
        Timeout: 5e8,
        StartPeriod: 2e9,
        Retries: 3,
      },
    },
  ],
  ['HEALTHCHECK CMD ["ok"]', { Healthcheck: { Test: ['CMD', 'ok'] } }],
] as const) {
  test(change, () => assert.deepEqual(configFrom([change]), config));
}

test('changes follow one another: variables, a changed value, paths that go on', () => {
  const config = configFrom([
    'ENV ROOT=/srv NAME=',
    `ENV NAME=\${NAME:-app} ROOT=/opt`,
    'WORKDIR $ROOT',
    `WORKDIR \${NAME}/../bin`,
    `LABEL where=$ROOT has=\${NAME:+yes}`,
  ]);
  assert.deepEqual(config.Env, ['ROOT=/opt', 'NAME=app']);
  assert.equal(config.WorkingDir, '/opt/bin');
  assert.deepEqual(config.Labels, { where: '/opt', has: 'yes' });
});

test('a change may go over several lines, with comments between', () => {
  assert.deepEqual(configFrom(['ENV A=1 \\\n  # why\n  B=2', '# nothing', '']).Env, ['A=1', 'B=2']);
});

for (const [change, problem] of [
  ['RUN true', 'RUN is not a valid change command'],
  ['constructor x', 'constructor is not a valid change command'],
  ['CMD ["a", 1]', 'when using JSON array syntax, arrays must be comprised of strings only'],
  ['ENV', 'ENV requires at least one argument'],
  ['ENV A', 'ENV must have two arguments'],
  ['ENV A=1 B', 'Syntax error - can\'t find = in "B". Must be of the form: name=value'],
  ['ENV =1', 'ENV names can not be blank'],
  ['EXPOSE 70000', 'Invalid containerPort: 70000'],
  ['EXPOSE 90-80', 'Invalid containerPort: 90-80'],
  ['USER a b', 'USER requires exactly one argument'],
  ['STOPSIGNAL SIGNONE', 'invalid signal: SIGNONE'],
  ['VOLUME [""]', 'VOLUME specified can not be an empty string'],
  ['ONBUILD ONBUILD RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
  ['HEALTHCHECK', 'HEALTHCHECK requires at least one argument'],
  ['HEALTHCHECK --interval=1 CMD x', 'time: invalid duration "1"'],
  ['HEALTHCHECK --interval=1us CMD x', 'Interval "interval" cannot be less than 1ms'],
  ['HEALTHCHECK SOMETIMES', 'Unknown type "SOMETIMES" in HEALTHCHECK (try CMD)'],
] as const) {
  test(`${change}: ${problem}`, () => {
    assert.throws(() => configFrom([change]), { code: 'INVALID_ARGUMENT', reason: 'BAD_CHANGE', message: problem });
  });
}

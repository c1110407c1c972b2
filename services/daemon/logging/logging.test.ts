import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { ContainerConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import { resolveConfig } from '../config.ts';
import { logAttributes } from './attributes.ts';
import { logConfigOf } from './log-config.ts';
import { logProblem } from './options.ts';
import { isUnderstood, renderTag } from './tag.ts';

const container = {
  id: '0123456789abcdef'.repeat(4),
  name: 'web',
  imageId: `sha256:${'f'.repeat(64)}`,
  args: ['sleep', '1'],
  config: ContainerConfig.create({
    image: 'busybox',
    labels: { tier: 'front', 'com.example.team': 'blue' },
    env: ['STAGE=test=1', 'HOME=/'],
  }),
};

suite('log configuration', () => {
  test('options are refused in Docker’s words', () => {
    const refused: [string, Record<string, string>, string][] = [
      ['gelf', {}, "logger: no log driver named 'gelf' is registered"],
      ['json-file', { x: '1' }, "unknown log opt 'x' for json-file log driver"],
      ['local', { x: '1' }, "unknown log opt 'x' for log driver local"],
      ['journald', { 'max-size': '1m' }, "unknown log opt 'max-size' for journald log driver"],
      ['syslog', { 'max-file': '1' }, "unknown log opt 'max-file' for syslog log driver"],
      ['json-file', { 'max-size': 'big' }, "invalid size: 'big'"],
      ['json-file', { 'max-file': '0' }, 'max-file cannot be less than 1'],
      ['json-file', { 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
      ['json-file', { mode: 'x' }, 'logger: logging mode not supported: x'],
      ['syslog', { 'syslog-address': 'nowhere' }, 'syslog-address should be in form proto://address, got nowhere'],
      ['syslog', { 'syslog-facility': 'local8' }, 'invalid syslog facility'],
      ['syslog', { 'syslog-format': 'gelf' }, 'Invalid syslog format'],
      [
        'json-file',
        { 'max-buffer-size': '1m' },
        "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
      ],
    ];
    for (const [driver, options, problem] of refused) assert.equal(logProblem(driver, options), problem);
  });

  test('what Docker takes is taken', () => {
    const file = {
      'max-size': '10m',
      'max-file': '3',
      compress: 'true',
      labels: 'a',
      env: 'B',
      tag: '{{.Name}}/{{.ID}}',
    };
    assert.equal(logProblem('json-file', file), undefined);
    assert.equal(logProblem('local', { mode: 'non-blocking', 'max-buffer-size': '4m' }), undefined);
    for (const address of ['udp://127.0.0.1:514', 'tcp://[::1]', 'tcp+tls://log.example:6514', 'unixgram:///dev/log']) {
      assert.equal(logProblem('syslog', { 'syslog-address': address, 'syslog-facility': 'local3' }), undefined);
    }
    assert.equal(logProblem('none', { anything: 'goes' }), undefined);
  });

  test('the engine’s options hold for containers of its driver only, and the container’s own win', () => {
    const defaults = { logDriver: 'local', logOptions: { 'max-size': '1m', 'max-file': '2' } };
    const own = (type: string, config = {}) => logConfigOf({ logConfig: { type, config } }, defaults);
    assert.deepEqual(logConfigOf({ logConfig: undefined }, defaults), { type: 'local', config: defaults.logOptions });
    assert.deepEqual(own('', { 'max-size': '5m' }).config, { 'max-size': '5m', 'max-file': '2' });
    assert.deepEqual(own('json-file'), { type: 'json-file', config: {} });
  });

  test('the engine’s own come by flags or by dockerd’s keys, and are checked at once', (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'longshore-config-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const configFile = join(directory, 'daemon.json');
    writeFileSync(
      configFile,
      JSON.stringify({ 'log-driver': 'local', 'log-opts': { 'max-size': '5m', compress: 'false' } }),
    );
    const { logDriver, logOptions } = resolveConfig({ configFile }, {});
    assert.deepEqual([logDriver, logOptions], ['local', { 'max-size': '5m', compress: 'false' }]);
    assert.deepEqual(resolveConfig({ logOpt: ['tag=a=b'] }, {}).logOptions, { tag: 'a=b' });
    assert.throws(
      () => resolveConfig({ logOpt: ['x=1'] }, {}),
      /failed to set log opts: unknown log opt 'x' for json-file/,
    );
    assert.throws(() => resolveConfig({ logDriver: 'gelf' }, {}), /no log driver named 'gelf' is registered/);
  });

  test('a tag names what Docker’s may; other templates are not understood', () => {
    const template = '{{.ID}} {{ .Name }} {{.ImageName}} {{.ImageID}} {{.DaemonName}} {{.Command}}';
    assert.equal(renderTag(template, container), '0123456789ab web busybox ffffffffffff docker sleep 1');
    assert.deepEqual(
      [isUnderstood('plain'), isUnderstood('{{.Nothing}}'), isUnderstood('{{range .}}')],
      [true, false, false],
    );
  });

  test('labels and variables are chosen by name and by pattern', () => {
    const options = { labels: 'tier,none', 'labels-regex': '^com\\.', env: 'STAGE', tag: 't-{{.Name}}' };
    const chosen = { tier: 'front', 'com.example.team': 'blue', STAGE: 'test=1', tag: 't-web' };
    assert.deepEqual(logAttributes(options, container), chosen);
    assert.deepEqual(logAttributes({}, container), {});
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveConfig } from './config.ts';
import { changesIn } from './reload.ts';

test('what a reload changes and what waits for a restart are told apart, by the names of the file', () => {
  const present = resolveConfig({ label: ['a=b'] }, {});
  const next = resolveConfig(
    { label: ['a=c'], debug: true, bip: '10.1.2.3/24', dnsOpt: ['rotate'], bridge: 'none' },
    {},
  );
  assert.deepEqual(changesIn(present, next), {
    reloaded: ['labels', 'logLevel'],
    needRestart: ['bridge', 'dns-opts', 'bip'],
  });
  assert.deepEqual(changesIn(present, resolveConfig({ label: ['a=b'] }, {})), { reloaded: [], needRestart: [] });
});

test('debug raises the log level, and lowers none', () => {
  const level = (flags: Parameters<typeof resolveConfig>[0]) => resolveConfig(flags, {}).logLevel;
  assert.equal(level({ debug: true }), 'debug');
  assert.equal(level({ debug: true, logLevel: 'trace' }), 'trace');
  assert.equal(level({ debug: false, logLevel: 'warn' }), 'warn');
});

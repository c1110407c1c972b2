import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveConfig } from '../config.ts';
import type { Flags } from '../flags.ts';
import { Boot } from './boot.ts';
import { checkConfiguration } from './check-configuration.ts';

const check = (flags: Flags) => new Boot([]).run(checkConfiguration(resolveConfig(flags, {})));

const bridgeAndBip = 'You specified -b & --bip, mutually exclusive options. Please specify only one.';
const iccWithoutIptables =
  'You specified --iptables=false with --icc=false. ICC uses iptables to function. Please set --icc or --iptables to true.';

test('-b and --bip together are refused in the original’s words', async () => {
  await assert.rejects(check({ bridge: 'br0', bip: '10.0.0.1/24' }), { message: bridgeAndBip });
});

test('--iptables=false with --icc=false is refused in the original’s words', async () => {
  await assert.rejects(check({ iptables: 'false', icc: 'false' }), { message: iccWithoutIptables });
});

test('with both conflicts the first one is told', async () => {
  await assert.rejects(check({ bridge: 'br0', bip: '10.0.0.1/24', iptables: 'false', icc: 'false' }), {
    message: bridgeAndBip,
  });
});

for (const flags of [{ iptables: 'false' }, { icc: 'false' }, { bridge: 'none' }] satisfies Flags[]) {
  test(`${JSON.stringify(flags)} alone is accepted`, () => check(flags));
}

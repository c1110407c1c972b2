import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { candidates, chooseBridgeAddress } from './bridge-address.ts';
import {
  contains,
  firstAddress,
  formatAddress,
  formatCidr,
  lastAddress,
  macOf,
  overlaps,
  parseAddress,
  parseCidr,
} from './cidr.ts';

const cidr = (text: string) => {
  const parsed = parseCidr(text);
  assert.ok(parsed, text);
  return parsed;
};

suite('IPv4 networks', () => {
  test('what is no address or no CIDR is refused', () => {
    for (const text of ['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1.2.3.x', '::1', ' 1.2.3.4', '-1.2.3.4']) {
      assert.equal(parseAddress(text), undefined, text);
    }
    for (const text of ['1.2.3.4', '1.2.3.4/33', '1.2.3.4/', '1.2.3.4/8/8', '1.2.3/8', '1.2.3.4/-1']) {
      assert.equal(parseCidr(text), undefined, text);
    }
  });

  test('addresses above 127 stay positive, host bits stay', () => {
    assert.equal(formatAddress(parseAddress('255.255.255.255') ?? 0), '255.255.255.255');
    assert.equal(formatCidr(cidr('192.168.42.1/24')), '192.168.42.1/24');
  });

  test('bounds, also of the whole space and of one address', () => {
    const bounds = (text: string) => [firstAddress(cidr(text)), lastAddress(cidr(text))].map(formatAddress);
    assert.deepEqual(bounds('172.17.0.1/16'), ['172.17.0.0', '172.17.255.255']);
    assert.deepEqual(bounds('10.1.2.3/32'), ['10.1.2.3', '10.1.2.3']);
    assert.deepEqual(bounds('10.1.2.3/0'), ['0.0.0.0', '255.255.255.255']);
  });

  test('overlap is seen from both sides', () => {
    assert.equal(overlaps(cidr('10.0.0.0/8'), cidr('10.9.0.0/16')), true);
    assert.equal(overlaps(cidr('10.9.0.0/16'), cidr('10.0.0.0/8')), true);
    assert.equal(overlaps(cidr('10.9.0.0/16'), cidr('10.10.0.0/16')), false);
    assert.equal(contains(cidr('172.17.0.1/16'), parseAddress('172.18.0.0') ?? 0), false);
  });

  test('a MAC is made of the address', () => {
    assert.equal(macOf(parseAddress('172.17.0.2') ?? 0), '02:42:ac:11:00:02');
    assert.equal(macOf(parseAddress('10.0.0.9') ?? 0), '02:42:0a:00:00:09');
  });
});

suite('the address of the default bridge', () => {
  const choose = (routes: string[], nameservers: string[] = [], before?: string) => {
    const servers = nameservers.map((address) => parseAddress(address) ?? 0);
    const chosen = chooseBridgeAddress(routes.map(cidr), servers, before === undefined ? undefined : cidr(before));
    return chosen && formatCidr(chosen);
  };

  test('is the first of docker’s pools that is free', () => {
    assert.equal(choose([]), '172.17.0.1/16');
    assert.equal(choose(['0.0.0.0/0']), '172.17.0.1/16', 'a default route is in nobody’s way');
    assert.equal(choose(['172.17.0.0/16', '172.18.4.0/24']), '172.19.0.1/16');
    assert.equal(choose(['172.16.0.0/12']), '192.168.0.1/20');
    assert.equal(choose(['172.16.0.0/12', '192.168.0.0/20']), '192.168.16.1/20');
  });

  test('keeps clear of the resolvers', () => {
    assert.equal(choose([], ['172.17.0.53']), '172.18.0.1/16');
  });

  test('is what it was before, if that is free', () => {
    assert.equal(choose([], [], '10.5.0.1/16'), '10.5.0.1/16');
    assert.equal(choose(['10.0.0.0/8'], [], '10.5.0.1/16'), '172.17.0.1/16');
  });

  test('is none when all are in use', () => {
    assert.equal(choose(['172.16.0.0/12', '192.168.0.0/16']), undefined);
    assert.equal(candidates.length, 31);
  });
});

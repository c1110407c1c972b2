import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { openRecords } from '../../kit/records.ts';
import { type Cidr, formatAddress, parseCidr } from './cidr.ts';
import { createIpam } from './ipam.ts';
import { migrations } from './records.ts';

function addresses(gateway: string) {
  const records = openRecords(':memory:', { migrations });
  const ipam = createIpam(records);
  const parsed: Cidr = parseCidr(gateway) ?? { address: 0, prefix: 0 };
  let made = 0;
  return {
    next(requested?: string) {
      const id = `s${++made}`;
      return records.transaction(() => {
        records.prepare("INSERT INTO sandbox VALUES (?, 'creating', 'b', x'', x'')").run(id);
        return formatAddress(ipam.allocate('net', parsed, id, requested));
      });
    },
    release: (n: number) => records.prepare('DELETE FROM sandbox WHERE id = ?').run(`s${n}`),
  };
}

const withReason = (reason: string) => (error: unknown) => isServiceError(error, reason);

suite('addresses of containers', () => {
  test('begin after the gateway and go on after the last one given', () => {
    const network = addresses('172.17.0.1/16');
    assert.deepEqual([network.next(), network.next(), network.next()], ['172.17.0.2', '172.17.0.3', '172.17.0.4']);
    network.release(1);
    assert.equal(network.next(), '172.17.0.5');
  });

  test('leave out the gateway wherever it is, the network and the broadcast address', () => {
    const network = addresses('10.0.0.2/29');
    const given = Array.from({ length: 5 }, () => network.next());
    assert.deepEqual(given, ['10.0.0.1', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
    assert.throws(() => network.next(), withReason('NO_ADDRESS_LEFT'));
    network.release(2);
    assert.equal(network.next(), '10.0.0.3');
  });

  test('a refused one leaves nothing taken', () => {
    const network = addresses('10.0.0.1/30');
    assert.throws(() => network.next('10.0.0.3'), withReason('ADDRESS_OUTSIDE'));
    assert.equal(network.next('10.0.0.2'), '10.0.0.2');
    assert.throws(() => network.next('10.0.0.2'), withReason('ADDRESS_TAKEN'));
  });
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { messageOf } from '../../kit/errors.ts';
import { type Accounts, remappingOf } from './subordinate-ids.ts';

const accounts: Accounts = {
  passwd: 'root:x:0:0::/root:/bin/sh\nmarie:x:1000:1000::/home/marie:/bin/sh\ndockremap:x:999:999::/:/bin/false\n',
  group: 'root:x:0:\nmarie:x:1000:\ndockremap:x:999:\nstaff:x:50:\n',
  subuid: '# ranges\nmarie:100000:65536\ndockremap:200000:65536\n1000:400000:10\n',
  subgid: 'marie:300000:65536\ndockremap:200000:65536\n',
};
const read = (given: string, more: Partial<Accounts> = {}) => remappingOf(given, { ...accounts, ...more });
const refusal = (given: string, more: Partial<Accounts> = {}) => {
  try {
    return read(given, more)?.name ?? 'none';
  } catch (error) {
    return messageOf(error);
  }
};

suite('whose subordinate ids containers have', () => {
  test('by name: the user’s ranges, one after the other, those given by number too', () => {
    assert.deepEqual(read('marie'), {
      name: 'marie:marie',
      maps: {
        uids: [
          { containerId: 0, hostId: 100_000, count: 65_536 },
          { containerId: 65_536, hostId: 400_000, count: 10 },
        ],
        gids: [{ containerId: 0, hostId: 300_000, count: 65_536 }],
      },
    });
  });

  test('by number, with a group, and default', () => {
    assert.equal(read('1000')?.name, 'marie:marie');
    assert.equal(read('marie:staff')?.name, 'marie:staff');
    assert.equal(read('1000:50')?.name, 'marie:staff');
    assert.equal(read('default')?.name, 'dockremap:dockremap');
    assert.deepEqual(read('default')?.maps.uids, [{ containerId: 0, hostId: 200_000, count: 65_536 }]);
  });

  test('root as itself is no mapping', () => {
    assert.equal(read('root'), undefined);
    assert.equal(read('0:0'), undefined);
  });

  test('what is not there is named, in Docker’s words', () => {
    assert.equal(refusal('a:b:c'), 'Invalid user/group specification in --userns-remap: "a:b:c"');
    assert.match(refusal('ghost'), /^Error during uid lookup for "ghost"/);
    assert.match(refusal('77'), /^Uid 77 has no entry in \/etc\/passwd/);
    assert.match(refusal('marie:ghosts'), /^Error during groupname lookup for "ghosts"/);
    assert.match(refusal('marie:77'), /^Gid 77 has no entry in \/etc\/group/);
    assert.equal(
      refusal('marie', { subuid: '' }),
      'error creating ID mappings: no subuid ranges found for user "marie"',
    );
    assert.equal(
      refusal('marie', { subgid: '' }),
      'error creating ID mappings: no subgid ranges found for user "marie"',
    );
  });
});

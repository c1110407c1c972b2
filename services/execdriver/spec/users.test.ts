import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isServiceError } from '../../../kit/errors.ts';
import { lookupUser } from './users.ts';

const files = {
  passwd:
    '# accounts\nroot:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n42:x:7:8::/odd:/bin/sh\nbroken\n',
  group: 'root:x:0:\nwheel:x:10:app,root\nstaff:x:50:root, app\nvideo:x:44:\n',
};
const find = (user: string, groups: string[] = []) => lookupUser(user, groups, files);
const message = (user: string, groups: string[] = []) => {
  try {
    find(user, groups);
    return 'found';
  } catch (error) {
    return isServiceError(error, 'UNKNOWN_USER') ? error.message : String(error);
  }
};

suite('looking up a user', () => {
  test('nobody in particular is root, with root’s groups', () => {
    assert.deepEqual(find(''), { uid: 0, gid: 0, additionalGids: [0, 10, 50], home: '/root' });
  });

  test('a name brings its group, its memberships and its home', () => {
    assert.deepEqual(find('app'), { uid: 1000, gid: 1001, additionalGids: [1001, 10, 50], home: '/home/app' });
  });

  test('a number is looked up too, and need not be there', () => {
    assert.deepEqual(find('1000'), find('app'));
    assert.deepEqual(find('4711'), { uid: 4711, gid: 0, additionalGids: [0], home: '/' });
  });

  test('a name of digits comes before the number', () => {
    assert.equal(find('42').uid, 7);
  });

  test('with a group there are no memberships', () => {
    assert.deepEqual(find('app:video').additionalGids, [44]);
    assert.deepEqual(find('app:1234').gid, 1234);
    assert.deepEqual(find(':staff'), { uid: 0, gid: 50, additionalGids: [50], home: '/root' });
  });

  test('further groups are added by name or number', () => {
    assert.deepEqual(find('app', ['video', '99']).additionalGids, [1001, 10, 50, 44, 99]);
  });

  test('what is not there is named', () => {
    assert.equal(message('ghost'), 'unable to find user ghost: no matching entries in passwd file');
    assert.equal(message('app:ghosts'), 'unable to find group ghosts: no matching entries in group file');
    assert.equal(message('app', ['ghosts']), 'Unable to find group ghosts: no matching entries in group file');
    assert.equal(message('-1'), 'uids and gids must be in range 0-2147483647');
    assert.equal(message('4294967296'), 'uids and gids must be in range 0-2147483647');
  });

  test('an image without accounts still has numbers', () => {
    const empty = { passwd: undefined, group: undefined };
    assert.deepEqual(lookupUser('', [], empty), { uid: 0, gid: 0, additionalGids: [0], home: '/' });
    assert.deepEqual(lookupUser('5:6', [], empty), { uid: 5, gid: 6, additionalGids: [6], home: '/' });
  });
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isServiceError } from '../../../kit/errors.ts';
import { selinuxLabels } from './selinux.ts';

suite('SELinux labels', () => {
  test('none without being asked, none when disabled', () => {
    assert.equal(selinuxLabels([], 'a'), undefined);
    assert.equal(selinuxLabels(['type:x_t', 'disable'], 'a'), undefined);
  });

  test('each part may be given; files have the level of their container', () => {
    assert.deepEqual(selinuxLabels(['type:mine_t', 'level:s0:c1,c2'], 'a'), {
      process: 'system_u:system_r:mine_t:s0:c1,c2',
      mount: 'system_u:object_r:container_file_t:s0:c1,c2',
    });
  });

  test('two categories tell containers apart, the same at each start', () => {
    const level = (id: string) => /:s0:(c\d+),(c\d+)$/.exec(selinuxLabels(['user:u'], id)?.process ?? '')?.slice(1);
    assert.deepEqual(level('one'), level('one'));
    assert.notDeepEqual(level('one'), level('two'));
    for (let n = 0; n < 300; n++) assert.notEqual(...(level(`${n}`) as [string, string]));
  });

  test('what is no part is refused', () => {
    assert.throws(
      () => selinuxLabels(['colour:red'], 'a'),
      (error) => isServiceError(error, 'BAD_SPEC'),
    );
  });
});

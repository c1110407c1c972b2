import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type AppArmor, profileFor, usualProfile } from './apparmor.ts';

function recorded(loaded: string[]): AppArmor & { policies: string[] } {
  const policies: string[] = [];
  return {
    policies,
    isLoaded: (profile) => loaded.includes(profile),
    async load(policy) {
      policies.push(policy);
      loaded.push(/^profile (\S+)/m.exec(policy)?.[1] ?? '');
    },
  };
}

const plain = { apparmor: '', privileged: false };

suite('AppArmor profiles, where the kernel has them', () => {
  test('a container gets the usual one, which is loaded when it is missing, once', async () => {
    const kernel = recorded([]);
    assert.equal(await profileFor(kernel, plain), usualProfile);
    assert.equal(await profileFor(kernel, plain), usualProfile);
    assert.equal(kernel.policies.length, 1);
  });

  test('a privileged one is unconfined, unless it is asked otherwise', async () => {
    const kernel = recorded([]);
    assert.equal(await profileFor(kernel, { ...plain, privileged: true }), 'unconfined');
    assert.equal(await profileFor(kernel, { apparmor: usualProfile, privileged: true }), usualProfile);
  });

  test('what is asked for is taken as it is', async () => {
    const kernel = recorded(['mine']);
    for (const apparmor of ['mine', 'unconfined', ':theirs:profile', 'mine//&other']) {
      assert.equal(await profileFor(kernel, { ...plain, apparmor }), apparmor);
    }
    assert.deepEqual(kernel.policies, []);
  });

  test('a profile that is not loaded is refused by its name, where the kernel tells which are', async () => {
    await assert.rejects(
      profileFor(recorded([]), { ...plain, apparmor: 'mine' }),
      /the AppArmor profile "mine" is not loaded/,
    );
    const silent = { ...recorded([]), isLoaded: () => undefined };
    assert.equal(await profileFor(silent, { ...plain, apparmor: 'mine' }), 'mine');
  });
});

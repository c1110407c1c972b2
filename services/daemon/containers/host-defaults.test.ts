import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import { withDefaults } from './host-defaults.ts';

const usual = {
  runtime: 'crun',
  logDriver: 'json-file',
  logOptions: {},
  ipcMode: 'private',
  shmSize: 0,
  cgroupnsMode: '',
};
const engine = (cgroupLayout: string, defaults: Partial<typeof usual> = {}) => ({
  defaults: { ...usual, ...defaults },
  host: { cgroupLayout },
});
const settled = (host: Partial<HostConfig>, layout = 'hybrid', defaults: Partial<typeof usual> = {}) =>
  withDefaults(HostConfig.fromPartial(host), engine(layout, defaults));

test('the cgroup namespace is the host’s on version 1, private on version 2, or what was asked for', () => {
  assert.equal(settled({}).cgroupnsMode, 'host');
  assert.equal(settled({}, 'v2').cgroupnsMode, 'private');
  assert.equal(settled({ cgroupnsMode: 'private' }).cgroupnsMode, 'private');
  const wish = { cgroupnsMode: 'private' };
  assert.equal(settled({}, 'hybrid', wish).cgroupnsMode, 'private');
  assert.equal(settled({ privileged: true }, 'hybrid', wish).cgroupnsMode, 'host');
  assert.equal(settled({ privileged: true }, 'v2', { cgroupnsMode: 'host' }).cgroupnsMode, 'host');
  assert.equal(settled({ cgroupnsMode: 'host' }, 'hybrid', wish).cgroupnsMode, 'host');
});

test('SELinux does not keep apart who shares processes or memory with the host, unless it was said how', () => {
  for (const host of [{ privileged: true }, { pidMode: 'host' }, { ipcMode: 'host' }]) {
    assert.deepEqual(settled(host).securityOpt, ['label=disable']);
    const own = ['label=type:x_t'];
    assert.deepEqual(settled({ ...host, securityOpt: own }).securityOpt, own);
  }
  assert.deepEqual(settled({ securityOpt: ['no-new-privileges'] }).securityOpt, ['no-new-privileges']);
});

test('shared memory is as large, and as private, as the engine has it where nothing is said', () => {
  const wish = { ipcMode: 'shareable', shmSize: 1024 };
  const of = ({ ipcMode, shmSize }: HostConfig) => [ipcMode, shmSize];
  assert.deepEqual(of(settled({}, 'hybrid', wish)), ['shareable', 1024]);
  assert.deepEqual(of(settled({ ipcMode: 'host', shmSize: 7 }, 'hybrid', wish)), ['host', 7]);
});

test('the runtime and the log are the engine’s where none is named', () => {
  assert.deepEqual([settled({}).runtime, settled({ runtime: 'runc' }).runtime], ['crun', 'runc']);
  assert.equal(settled({}).logConfig?.type, 'json-file');
});

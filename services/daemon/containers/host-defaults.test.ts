import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import { withDefaults } from './host-defaults.ts';

const engine = (cgroupLayout: string) => ({
  defaults: { runtime: 'crun', logDriver: 'json-file', logOptions: {} },
  host: { cgroupLayout },
});
const settled = (host: Partial<HostConfig>, layout = 'hybrid') =>
  withDefaults(HostConfig.fromPartial(host), engine(layout));

test('the cgroup namespace is the host’s on version 1, private on version 2, or what was asked for', () => {
  assert.equal(settled({}).cgroupnsMode, 'host');
  assert.equal(settled({}, 'v2').cgroupnsMode, 'private');
  assert.equal(settled({ cgroupnsMode: 'private' }).cgroupnsMode, 'private');
});

test('SELinux does not keep apart who shares processes or memory with the host, unless it was said how', () => {
  for (const host of [{ privileged: true }, { pidMode: 'host' }, { ipcMode: 'host' }]) {
    assert.deepEqual(settled(host).securityOpt, ['label=disable']);
    const own = ['label=type:x_t'];
    assert.deepEqual(settled({ ...host, securityOpt: own }).securityOpt, own);
  }
  assert.deepEqual(settled({ securityOpt: ['no-new-privileges'] }).securityOpt, ['no-new-privileges']);
});

test('the runtime and the log are the engine’s where none is named', () => {
  assert.deepEqual([settled({}).runtime, settled({ runtime: 'runc' }).runtime], ['crun', 'runc']);
  assert.equal(settled({}).logConfig?.type, 'json-file');
});

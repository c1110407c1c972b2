import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import { linkedEnvironment } from './linked-environment.ts';
import type { ContainerRecord } from './record.ts';

function environment(alias: string, config: Parameters<typeof ContainerConfig.fromPartial>[0]): string[] {
  const child: Pick<ContainerRecord, 'config'> = { config: ContainerConfig.fromPartial(config) };
  return linkedEnvironment('web', [{ alias, child, address: '10.0.0.2' }]);
}

test('a link tells its name, its lowest port, each port, and the environment of the other', () => {
  const config = { exposedPorts: ['6379/tcp', '53/udp'], env: ['USER=db', 'PATH=/bin', 'HOME=/root', 'NAMELESS'] };
  assert.deepEqual(environment('my-db', config), [
    'MY_DB_PORT=udp://10.0.0.2:53',
    'MY_DB_PORT_53_UDP=udp://10.0.0.2:53',
    'MY_DB_PORT_53_UDP_ADDR=10.0.0.2',
    'MY_DB_PORT_53_UDP_PORT=53',
    'MY_DB_PORT_53_UDP_PROTO=udp',
    'MY_DB_PORT_6379_TCP=tcp://10.0.0.2:6379',
    'MY_DB_PORT_6379_TCP_ADDR=10.0.0.2',
    'MY_DB_PORT_6379_TCP_PORT=6379',
    'MY_DB_PORT_6379_TCP_PROTO=tcp',
    'MY_DB_NAME=/web/my-db',
    'MY_DB_ENV_USER=db',
  ]);
});

test('of one number TCP goes first, and ports in a row are told as a range too', () => {
  const told = environment('db', { exposedPorts: ['81/tcp', '80/udp', '80', '90/tcp'] });
  assert.deepEqual(told.slice(0, 7), [
    'DB_PORT=tcp://10.0.0.2:80',
    'DB_PORT_80_TCP_START=tcp://10.0.0.2:80',
    'DB_PORT_80_TCP_ADDR=10.0.0.2',
    'DB_PORT_80_TCP_PROTO=tcp',
    'DB_PORT_80_TCP_PORT_START=80',
    'DB_PORT_80_TCP_END=tcp://10.0.0.2:81',
    'DB_PORT_80_TCP_PORT_END=81',
  ]);
  assert(told.includes('DB_PORT_90_TCP=tcp://10.0.0.2:90'));
});

test('without exposed ports there is the name alone', () => {
  assert.deepEqual(environment('db', {}), ['DB_NAME=/web/db']);
});

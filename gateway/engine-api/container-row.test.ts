import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Container,
  ContainerStatus,
  Container as Containers,
  HealthStatus,
} from '../../proto/gen/longshore/daemon/v1/container.ts';
import { humanDuration, statusWords } from './container-row.ts';

test('durations are told in Docker’s words', () => {
  const minute = 60n;
  const hour = 60n * minute;
  const day = 24n * hour;
  for (const [seconds, words] of [
    [-5n, 'Less than a second'],
    [0n, 'Less than a second'],
    [1n, '1 second'],
    [59n, '59 seconds'],
    [60n, 'About a minute'],
    [2n * minute, '2 minutes'],
    [59n * minute + 59n, '59 minutes'],
    [hour, 'About an hour'],
    [90n * minute, '2 hours'],
    [47n * hour, '47 hours'],
    [2n * day, '2 days'],
    [13n * day, '13 days'],
    [14n * day, '2 weeks'],
    [60n * day, '2 months'],
    [730n * day, '2 years'],
  ] as const) {
    assert.equal(humanDuration(seconds), words, String(seconds));
  }
});

test('each state has Docker’s words', () => {
  const words = (state: Container['state'] | object) =>
    statusWords(Containers.fromPartial({ state }), 100_000_000_000n);
  const times = { startedAtNs: 40_000_000_000n, finishedAtNs: 98_000_000_000n, exitCode: 3 };
  assert.equal(words({ status: ContainerStatus.CONTAINER_STATUS_CREATED }), 'Created');
  assert.equal(words({ status: ContainerStatus.CONTAINER_STATUS_RUNNING, ...times }), 'Up About a minute');
  for (const [status, shown] of [
    [HealthStatus.HEALTH_STATUS_STARTING, 'health: starting'],
    [HealthStatus.HEALTH_STATUS_HEALTHY, 'healthy'],
    [HealthStatus.HEALTH_STATUS_UNHEALTHY, 'unhealthy'],
  ] as const) {
    const running = { status: ContainerStatus.CONTAINER_STATUS_RUNNING, ...times, health: { status } };
    assert.equal(words(running), `Up About a minute (${shown})`);
    assert.doesNotMatch(words({ ...running, status: ContainerStatus.CONTAINER_STATUS_PAUSED }), /health/);
  }
  assert.equal(words({ status: ContainerStatus.CONTAINER_STATUS_STOPPING, ...times }), 'Up About a minute');
  assert.equal(words({ status: ContainerStatus.CONTAINER_STATUS_PAUSED, ...times }), 'Up About a minute (Paused)');
  assert.equal(words({ status: ContainerStatus.CONTAINER_STATUS_EXITED, ...times }), 'Exited (3) 2 seconds ago');
  assert.equal(
    words({ status: ContainerStatus.CONTAINER_STATUS_RESTARTING, ...times }),
    'Restarting (3) 2 seconds ago',
  );
});

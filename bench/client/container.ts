import type { Api } from './api.ts';

export interface ContainerSpec {
  readonly command: readonly string[];
  readonly network?: 'bridge' | 'none' | 'host';
  /** Seconds between two probes of its health. */
  readonly probedEach?: number;
}

export async function create(api: Api, spec: ContainerSpec): Promise<string> {
  const { command, network = 'bridge', probedEach } = spec;
  const health = { Test: ['CMD-SHELL', 'test -d /proc'], Interval: (probedEach ?? 0) * 1e9 };
  const body = {
    Image: 'busybox',
    Cmd: command,
    HostConfig: { NetworkMode: network },
    ...(probedEach !== undefined && { Healthcheck: health }),
  };
  return JSON.parse((await api.call('POST', '/containers/create', body)).toString()).Id;
}

export async function start(api: Api, id: string): Promise<void> {
  await api.call('POST', `/containers/${id}/start`);
}

/** Answers the exit code. */
export async function wait(api: Api, id: string): Promise<number> {
  return JSON.parse((await api.call('POST', `/containers/${id}/wait`)).toString()).StatusCode;
}

export async function remove(api: Api, id: string): Promise<void> {
  await api.call('DELETE', `/containers/${id}?force=1`);
}

/** A container's whole life. */
export async function live(api: Api, spec: ContainerSpec): Promise<void> {
  const id = await create(api, spec);
  await start(api, id);
  const code = await wait(api, id);
  if (code !== 0) throw new Error(`the container ended with ${code}`);
  await remove(api, id);
}

export async function removeAll(api: Api): Promise<void> {
  const list: { Id: string }[] = JSON.parse((await api.call('GET', '/containers/json?all=1')).toString());
  await Promise.all(list.map(({ Id }) => remove(api, Id)));
}

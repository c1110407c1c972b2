import { type Command, InvalidArgumentError } from 'commander';
import type { ServiceConfig } from '../kit/service.ts';

/** The sockets that clients know, as flags. */
export function withHosts(command: Command): void {
  command.option(
    '-H, --host <endpoint>',
    'where clients find the engine: unix:///path or tcp://host:port; repeatable (default: docker.sock in exec root)',
    (value: string, before: string[] = []) => {
      if (!/^unix:\/\/\/.+|^tcp:\/\/.+:\d+$/.test(value)) {
        throw new InvalidArgumentError('Use unix:///path or tcp://host:port.');
      }
      return [...before, value];
    },
  );
}

export function hostsOf({ flags, execRoot }: ServiceConfig): string[] {
  const { host } = flags;
  return Array.isArray(host) ? host.map(String) : [`unix://${execRoot}/docker.sock`];
}

import type { Command } from '../client/command.ts';
import { findProgram } from '../host/programs.ts';

/** The docker CLI of this host on an engine's socket, with no configuration of its user's. Throws when there is none. */
export function dockerCommand(socket: string, configuration: string): Command {
  const file = findProgram('docker');
  if (file === undefined) throw new Error('there is no docker CLI here; apt-get install docker-cli, or docker.io');
  return { file, environment: { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: configuration } };
}

import { execFile } from 'node:child_process';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs Docker's own client against a public socket. `input` is its standard input. */
export function docker(socket: string, args: readonly string[], input = ''): Promise<Ran> {
  return dockerAt({ DOCKER_HOST: `unix://${socket}` }, args, input);
}

/** As docker, with a host and its certificates as Docker's variables name them. */
export function dockerAt(host: Record<string, string>, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: '/nonexistent', ...host };
    const child = execFile('docker', [...args], { env, timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

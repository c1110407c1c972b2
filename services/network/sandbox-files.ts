import { chownSync, closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Owner } from '../../kit/id-maps.ts';
import type { Resolvers } from './resolvers.ts';
import { formatResolvConf } from './resolvers.ts';

/** The files that a container sees as /etc/resolv.conf, /etc/hosts and /etc/hostname. */
export interface SandboxFiles {
  resolvConfPath: string;
  hostsPath: string;
  hostnamePath: string;
}

export interface HostsEntry {
  address: string;
  names: readonly string[];
}

export interface HostsContent {
  /** The beginning of the hosts file; the loopback's own lines, or the host's whole file. */
  hostsBase: string;
  hosts: readonly HostsEntry[];
}

export interface FilesContent extends HostsContent {
  resolvers: Resolvers;
  hostname: string;
}

/** What /etc/hosts begins with in a namespace of its own. */
export const loopbackHosts =
  '127.0.0.1\tlocalhost\n' +
  '::1\tlocalhost ip6-localhost ip6-loopback\n' +
  'fe00::\tip6-localnet\n' +
  'ff00::\tip6-mcastprefix\n' +
  'ff02::1\tip6-allnodes\n' +
  'ff02::2\tip6-allrouters\n';

/** For a sandbox in the host's namespace, which meets the network under the host's names. */
export function hostsOfHost(): string {
  try {
    const text = readFileSync('/etc/hosts', 'utf8');
    return text === '' || text.endsWith('\n') ? text : `${text}\n`;
  } catch {
    return loopbackHosts;
  }
}

export function filesOf(directory: string): SandboxFiles {
  return {
    resolvConfPath: join(directory, 'resolv.conf'),
    hostsPath: join(directory, 'hosts'),
    hostnamePath: join(directory, 'hostname'),
  };
}

/** Their content follows from the record, so a crash costs nothing and no fsync is needed. */
export function writeFiles(directory: string, content: FilesContent, owner: Owner): void {
  const paths = filesOf(directory);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  writeFileSync(paths.resolvConfPath, formatResolvConf(content.resolvers), { mode: 0o644 });
  writeFileSync(paths.hostsPath, hostsText(content), { mode: 0o644 });
  writeFileSync(paths.hostnamePath, `${content.hostname}\n`, { mode: 0o644 });
  if (owner.uid === 0 && owner.gid === 0) return;
  for (const path of Object.values(paths)) chownSync(path, owner.uid, owner.gid);
}

/** Into the same file, which the container has mounted; whoever reads it meanwhile never finds it empty. */
export function rewriteHosts(directory: string, content: HostsContent): void {
  const text = hostsText(content);
  const file = openSync(filesOf(directory).hostsPath, 'r+');
  try {
    writeFileSync(file, text);
    ftruncateSync(file, Buffer.byteLength(text));
  } finally {
    closeSync(file);
  }
}

function hostsText({ hostsBase, hosts }: HostsContent): string {
  return hostsBase + hosts.map(({ address, names }) => `${address}\t${names.join(' ')}\n`).join('');
}

export function removeFiles(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

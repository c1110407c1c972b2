import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';

/** What a resolv.conf(5) says. */
export interface Resolvers {
  servers: string[];
  search: string[];
  options: string[];
}

/** Of several `search` lines the last one counts; of `options` lines, all. */
export function parseResolvConf(text: string): Resolvers {
  const resolvers: Resolvers = { servers: [], search: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    const first = words[0];
    if (first === undefined) continue;
    if (keyword === 'nameserver' && isIP(withoutZone(first)) !== 0) resolvers.servers.push(first);
    else if (keyword === 'search') resolvers.search = words;
    else if (keyword === 'domain') resolvers.search = [first];
    else if (keyword === 'options') resolvers.options.push(...words);
  }
  return resolvers;
}

/** A server on this host's loopback cannot be reached from another network namespace, nor by an address with a zone. */
export function isReachable(server: string): boolean {
  if (server.includes('%')) return false;
  return !server.startsWith('127.') && server !== '::1' && !server.toLowerCase().startsWith('::ffff:127.');
}

/** Public servers that Docker falls back to, so that names resolve in containers even where the host's resolver is local. */
export const publicServers: readonly string[] = ['8.8.8.8', '8.8.4.4'];

export interface ResolvConfPaths {
  /** The file that programs of the host read. */
  main: string;
  /** What systemd-resolved itself asks; `main` then names only its stub on 127.0.0.53. */
  behindStub: string;
}

export const hostResolvConf: ResolvConfPaths = {
  main: '/etc/resolv.conf',
  behindStub: '/run/systemd/resolve/resolv.conf',
};

/** The host's resolvers. A missing file says nothing (resolv.conf(5)). */
export function readResolvers(paths: ResolvConfPaths): Resolvers {
  return parseResolvConf(readIfThere(paths.main) ?? '');
}

/** Those of the host's resolvers that containers can ask; may be none. */
export function readUsableServers(paths: ResolvConfPaths): string[] {
  const { servers } = readResolvers(paths);
  const isStub = servers.length > 0 && servers.every((server) => server === '127.0.0.53');
  const behind = isStub ? readIfThere(paths.behindStub) : undefined;
  return (behind === undefined ? servers : parseResolvConf(behind).servers).filter(isReachable);
}

/** A resolv.conf's text. A search list of `.` alone means none. */
export function formatResolvConf(resolvers: Resolvers): string {
  const search = resolvers.search.filter((domain) => domain !== '.');
  const lines = resolvers.servers.map((server) => `nameserver ${server}`);
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  if (resolvers.options.length > 0) lines.push(`options ${resolvers.options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function withoutZone(address: string): string {
  return address.split('%')[0] ?? '';
}

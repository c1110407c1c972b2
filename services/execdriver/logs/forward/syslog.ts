import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type { LogLine } from '../lines.ts';
import { openDatagrams, openStream, openUdp } from './connections.ts';
import { type Destination, type SentLog, severities, type Target, textParts } from './destination.ts';

/** Numbers are their places; RFC 5424 §6.2.1, by the names of syslog(3). */
const facilities = 'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp'.split(' ');
const usualFacility = 3;
const usualPort = 514;
/** Where syslog daemons listen on their own host. */
const usualPaths = ['/dev/log', '/var/run/syslog', '/var/run/log'];

/** Docker's `syslog` driver. */
export function syslogTarget({ options, tag }: SentLog): Target {
  const address = options['syslog-address'] ?? '';
  const format = formatOf(options['syslog-format'] ?? '');
  const facility = facilityOf(options['syslog-facility'] ?? '');
  const isCounted = address.startsWith('tcp+tls:') && options['syslog-format']?.startsWith('rfc5424');
  return {
    name: `syslog${address === '' ? '' : ` at ${address}`}`,
    open: () => openSyslog(address, options),
    format(line) {
      const head = format({ priority: facility * 8 + severities[line.stream], tag, timeNs: line.timeNs });
      return textParts(line.line).map((text) => {
        const message = Buffer.concat([Buffer.from(head), text, Buffer.from('\n')]);
        // RFC 5425 §4.3: over TLS messages are told apart by their lengths.
        return isCounted ? Buffer.concat([Buffer.from(`${message.length} `), message]) : message;
      });
    },
  };
}

async function openSyslog(address: string, options: Readonly<Record<string, string>>): Promise<Destination> {
  if (address === '') {
    const path = usualPaths.find(existsSync);
    if (path === undefined) throw new Error(`there is no syslog daemon on this host: none of ${usualPaths.join(', ')}`);
    return openLocal(path);
  }
  const url = new URL(address);
  if (url.protocol === 'unixgram:') return openDatagrams(decodeURIComponent(url.pathname));
  if (url.protocol === 'unix:') return openStream({ path: decodeURIComponent(url.pathname) });
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || usualPort);
  if (url.protocol === 'udp:') return openUdp(host, port);
  if (url.protocol === 'tcp:') return openStream({ host, port });
  const tls = {
    ca: options['syslog-tls-ca-cert'] ?? '',
    cert: options['syslog-tls-cert'] ?? '',
    key: options['syslog-tls-key'] ?? '',
    skipVerify: options['syslog-tls-skip-verify'] !== undefined,
  };
  return openStream({ host, port, tls });
}

/** Most take datagrams there, some a stream. */
async function openLocal(path: string): Promise<Destination> {
  try {
    return openDatagrams(path);
  } catch {
    return openStream({ path });
  }
}

function facilityOf(text: string): number {
  if (text === '') return usualFacility;
  if (text.startsWith('local')) return 16 + Number(text.slice('local'.length));
  const at = facilities.indexOf(text);
  return at < 0 ? Number(text) : at;
}

interface Head {
  priority: number;
  tag: string;
  timeNs: LogLine['timeNs'];
}

/** What stands in front of the text. */
function formatOf(name: string): (head: Head) => string {
  const { pid } = process;
  const host = hostname();
  switch (name) {
    case 'rfc3164':
      return ({ priority, tag, timeNs }) => `<${priority}>${oldStamp(timeNs)} ${host} ${tag}[${pid}]: `;
    case 'rfc5424':
      return ({ priority, tag, timeNs }) => `<${priority}>1 ${newStamp(timeNs, 19)}Z ${host} ${tag} ${pid} ${tag} - `;
    case 'rfc5424micro':
      return ({ priority, tag, timeNs }) => `<${priority}>1 ${newStamp(timeNs, 26)}Z ${host} ${tag} ${pid} ${tag} - `;
    default:
      // As programs on the same host send it, without the host.
      return ({ priority, tag, timeNs }) => `<${priority}>${oldStamp(timeNs)} ${tag}[${pid}]: `;
  }
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const two = (value: number) => String(value).padStart(2, '0');

/** RFC 3164 §4.1.2: local time, the day padded with a space. */
function oldStamp(timeNs: bigint): string {
  const date = new Date(Number(timeNs / 1_000_000n));
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${months[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${clock}`;
}

/** RFC 5424 §6.2.3, in UTC, up to so many characters of `2006-01-02T15:04:05.000000`. */
function newStamp(timeNs: bigint, length: number): string {
  const micros = String((timeNs / 1000n) % 1_000_000n).padStart(6, '0');
  const second = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19);
  return `${second}.${micros}`.slice(0, length);
}

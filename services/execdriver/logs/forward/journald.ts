import { randomBytes } from 'node:crypto';
import { utcText } from '../format.ts';
import { openDatagrams } from './connections.ts';
import { type SentLog, severities, type Target, textParts } from './destination.ts';

export const journalSocket = '/run/systemd/journal/socket';

type Field = readonly [name: string, value: string | Buffer];

/** Docker's `journald` driver, by systemd's native protocol: fields, one datagram an entry. */
export function journaldTarget(
  { tag, attributes, imageName }: SentLog,
  container: { id: string; name: string },
  socket = journalSocket,
): Target {
  const same: Field[] = [
    ['CONTAINER_ID', container.id.slice(0, 12)],
    ['CONTAINER_ID_FULL', container.id],
    ['CONTAINER_NAME', container.name],
    ['CONTAINER_TAG', tag],
    ['IMAGE_NAME', imageName],
    ['SYSLOG_IDENTIFIER', tag],
    ...Object.entries(attributes).map(([name, value]): Field => [fieldName(name), value]),
  ];
  const head = Buffer.concat(same.filter(([name]) => name !== '').map(encode));
  return {
    name: 'journald',
    open: async () => openDatagrams(socket),
    format({ stream, line, timeNs }) {
      const parts = textParts(line);
      const partId = parts.length > 1 ? randomBytes(32).toString('hex') : '';
      return parts.map((text, index) => {
        const fields: Field[] = [
          ['PRIORITY', String(severities[stream])],
          ['SYSLOG_TIMESTAMP', `${utcText(timeNs)}Z`],
          ['MESSAGE', text],
          ...(partId === '' ? [] : partFields(partId, index, parts.length)),
        ];
        return Buffer.concat([head, ...fields.map(encode)]);
      });
    },
  };
}

function partFields(id: string, index: number, count: number): Field[] {
  const isLast = index === count - 1;
  return [
    ...(isLast ? [] : [['CONTAINER_PARTIAL_MESSAGE', 'true'] as const]),
    ['CONTAINER_PARTIAL_ID', id],
    ['CONTAINER_PARTIAL_ORDINAL', String(index + 1)],
    ['CONTAINER_PARTIAL_LAST', String(isLast)],
  ];
}

/** systemd.journal-fields(7): capitals, digits and underscores, beginning with a capital. */
function fieldName(name: string): string {
  return name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^[_0-9]+/, '');
}

/** `NAME=value`, or with line ends in the value: the name, its length (64 bits, little-endian), the value. */
function encode([name, value]: Field): Buffer {
  const bytes = Buffer.from(value);
  if (!bytes.includes(0x0a)) return Buffer.concat([Buffer.from(`${name}=`), bytes, Buffer.from('\n')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')]);
}

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { suite, type TestContext, test } from 'node:test';
import { openBench, skip } from '../../testing/harness.ts';
import { until } from '../../testing/host.ts';
import { openDatagrams } from './connections.ts';
import { journaldTarget } from './journald.ts';
import { syslogTarget } from './syslog.ts';

const timeNs = BigInt(Date.parse('2026-01-02T03:04:05Z')) * 1_000_000n + 123_456_789n;
const line = (text: string, stream: 'stdout' | 'stderr' = 'stdout') => ({ stream, line: Buffer.from(text), timeNs });
const sent = (options: Record<string, string>) =>
  ({ driver: 'syslog', options, tag: 'web', attributes: {}, imageName: 'busybox' }) as const;

/** A unix datagram socket, which Node cannot make; gives each datagram as text. */
async function receive(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-dgram-'));
  const path = join(directory, 'socket');
  const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('ready', flush=True)
while True: print(s.recv(1 << 20).hex(), flush=True)`;
  const child = spawn('python3', ['-c', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  t.after(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(directory, { recursive: true });
  });
  await lines.next();
  return { path, next: async () => Buffer.from((await lines.next()).value ?? '', 'hex').toString('latin1') };
}

suite('sending logs on', { skip }, () => {
  test('a syslog message has its priority, time, host and tag, as its format says', () => {
    const head = (format: string, facility = '') => {
      const target = syslogTarget(sent({ 'syslog-format': format, 'syslog-facility': facility }));
      return target.format(line('hello\n', 'stderr')).map(String)[0];
    };
    const { pid } = process;
    assert.match(head('') ?? '', new RegExp(`^<27>Jan  \\d \\d\\d:\\d\\d:\\d\\d web\\[${pid}\\]: hello\\n$`));
    assert.match(
      head('rfc3164', 'local1') ?? '',
      new RegExp(`^<139>Jan  \\d [\\d:]+ ${hostname()} web\\[${pid}\\]: hello\\n$`),
    );
    const micro = `<27>1 2026-01-02T03:04:05.123456Z ${hostname()} web ${pid} web - hello\n`;
    assert.deepEqual([head('rfc5424micro'), head('rfc5424')], [micro, micro.replace('.123456', '')]);
  });

  test('a long line is cut into messages of 16 KiB', () => {
    const messages = syslogTarget(sent({})).format(line('x'.repeat(40_000)));
    assert.deepEqual(messages.length, 3);
    const journal = journaldTarget(sent({}), { id: 'f'.repeat(64), name: 'web' });
    const fields = journal.format(line('x'.repeat(20_000))).map(String);
    assert.match(fields[0] ?? '', /CONTAINER_PARTIAL_MESSAGE=true\n/);
    assert.match(fields[1] ?? '', /CONTAINER_PARTIAL_ORDINAL=2\nCONTAINER_PARTIAL_LAST=true\n/);
    assert.doesNotMatch(fields[1] ?? '', /CONTAINER_PARTIAL_MESSAGE/);
  });

  test('the journal gets Docker’s fields in a datagram', async (t) => {
    const receiver = await receive(t);
    const log = { ...sent({}), attributes: { 'com.example.tier': 'front', _x: 'a\nb' } };
    const target = journaldTarget(log, { id: 'f'.repeat(64), name: 'web' }, receiver.path);
    const destination = await target.open();
    await destination.send(target.format(line('hello\n', 'stderr')));
    destination.close();
    const entry = await receiver.next();
    const expected = ['CONTAINER_ID=ffffffffffff', `CONTAINER_ID_FULL=${'f'.repeat(64)}`, 'CONTAINER_NAME=web']
      .concat(['CONTAINER_TAG=web', 'IMAGE_NAME=busybox', 'SYSLOG_IDENTIFIER=web', 'COM_EXAMPLE_TIER=front'])
      .concat(['PRIORITY=3', 'SYSLOG_TIMESTAMP=2026-01-02T03:04:05.123456789Z', 'MESSAGE=hello']);
    for (const field of expected) assert.ok(entry.split('\n').includes(field), `${field} in ${entry}`);
    assert.ok(entry.includes('X\n\x03\0\0\0\0\0\0\0a\nb\n'));
  });

  test('a full queue of the receiver is waited for', async (t) => {
    const receiver = await receive(t);
    const destination = openDatagrams(receiver.path);
    const messages = Array.from({ length: 500 }, (_, index) => Buffer.from(`${index}`));
    await destination.send(messages);
    destination.close();
    for (const message of messages) assert.equal(await receiver.next(), `${message}`);
  });

  test('a container’s lines are sent to syslog, and can be read here too', async (t) => {
    const server = createSocket('udp4');
    const messages: string[] = [];
    server.on('message', (message) => messages.push(String(message)));
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    await using bench = await openBench();
    await bench.init();
    const options = { 'syslog-address': `udp://127.0.0.1:${server.address().port}`, 'syslog-format': 'rfc5424' };
    const log = { driver: 'syslog', options, tag: 'tagged' };
    const id = await bench.run(['sh', '-c', 'echo out; echo err >&2; printf end'], { log });
    await bench.wait(id);
    assert.equal(await bench.logs(id, { stderr: false }), 'out\nend');
    // Removing waits for what is on its way.
    await bench.clients.process.removeContainer({ id });
    await until(() => messages.length === 3);
    assert.deepEqual(messages.map((message) => message.replace(/^<(\d+)>1 \S+ \S+ /, '$1 ')).sort(), [
      `27 tagged ${process.pid} tagged - err\n`,
      `30 tagged ${process.pid} tagged - end\n`,
      `30 tagged ${process.pid} tagged - out\n`,
    ]);
  });

  test('what was written while neither this service nor the receiver was there is sent when both are back', async (t) => {
    let received = '';
    const server = createServer((socket) => socket.on('data', (bytes) => (received += bytes)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const texts = () => received.split('\n').flatMap((message) => / - (\d+)$/.exec(message)?.[1] ?? []);
    const unseen = () => Array.from({ length: 40 }, (_, at) => `${at + 1}`).filter((text) => !texts().includes(text));
    const sockets = new Set<{ destroy(): void }>();
    server.on('connection', (socket) => sockets.add(socket));
    const hangUp = () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    };
    t.after(hangUp);
    await using bench = await openBench({ serviceElsewhere: true });
    await bench.startElsewhere();
    await bench.init();
    const options = { 'syslog-address': `tcp://127.0.0.1:${port}`, 'syslog-format': 'rfc5424' };
    const script = 'i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo $i; sleep 0.05; done; sleep 60';
    const id = await bench.run(['sh', '-c', script], { log: { driver: 'syslog', options } });
    await until(() => texts().length >= 5, 10_000);
    await bench.killElsewhere();
    const seen = texts().length;
    assert.ok(seen < 40);
    await bench.startElsewhere();
    await until(() => unseen().length === 0, 10_000);
    // Sent twice, at most, is what was on its way at the death.
    assert.ok(texts().length <= 40 + 5, `${texts().length} messages of 40 lines`);
    await bench.clients.process.signalContainer({ id, signal: 9 });
    await bench.wait(id);
  });

  test('a receiver that is not there holds up neither the container nor its removal for long', async () => {
    await using bench = await openBench();
    await bench.init();
    const log = { driver: 'syslog', options: { 'syslog-address': 'tcp://127.0.0.1:1' } };
    const id = await bench.run(['sh', '-c', 'yes | head -c 1000000'], { log });
    const { code } = await bench.wait(id);
    assert.equal(code, 0);
    const begun = performance.now();
    await bench.clients.process.removeContainer({ id });
    assert.ok(performance.now() - begun < 5_000);
  });

  test('with cache-disabled there is nothing to read here', async () => {
    await using bench = await openBench();
    await bench.init();
    const options = { 'syslog-address': 'udp://127.0.0.1:1', 'cache-disabled': 'true' };
    const id = await bench.run(['echo', 'x'], { log: { driver: 'syslog', options } });
    await bench.wait(id);
    await assert.rejects(bench.logs(id), /configured logging driver does not support reading/);
  });
});

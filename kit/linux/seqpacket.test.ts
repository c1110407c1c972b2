import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { connectSeqpacket } from './seqpacket.ts';

/** Echoes each packet with its length in front, says `eof` at the end of input, then closes. */
const echo = `
import os, socket, sys
os.chdir(sys.argv[1])
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind('attach'); s.listen(1); print('ready', flush=True)
c, _ = s.accept()
while True:
    data = c.recv(65536)
    if not data: break
    c.send(str(len(data)).encode() + b':' + data)
c.send(b'eof'); c.close()
`;

async function python(): Promise<boolean> {
  const child = spawn('python3', ['-c', '']);
  return new Promise((resolve) =>
    child.once('error', () => resolve(false)).once('exit', (code) => resolve(code === 0)),
  );
}

async function echoServer(depth: string) {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-seq-'));
  const place = join(directory, depth);
  mkdirSync(place, { recursive: true });
  const child = spawn('python3', ['-c', echo, place], { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
  return {
    path: join(place, 'attach'),
    [Symbol.dispose]() {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true });
    },
  };
}

suite('seqpacket', { skip: (await python()) ? false : 'needs python3 to listen' }, () => {
  for (const depth of ['short', `long/${'0123456789abcdef'.repeat(8)}`]) {
    test(`each write is a packet and each packet a read, at a ${depth.slice(0, 5)} path`, async () => {
      using server = await echoServer(depth);
      const socket = connectSeqpacket(server.path);
      socket.write('one');
      assert.equal(String((await once(socket, 'data'))[0]), '3:one');
      socket.write('three');
      assert.equal(String((await once(socket, 'data'))[0]), '5:three');
      socket.destroy();
    });
  }

  test('ending our direction leaves the other open', async () => {
    using server = await echoServer('half');
    const socket = connectSeqpacket(server.path);
    socket.end('last');
    const packets: string[] = [];
    for await (const packet of socket) packets.push(String(packet));
    assert.deepEqual(packets, ['4:last', 'eof']);
  });
});

test('where nobody listens the connection is refused, and where nothing is it is ENOENT', () => {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-seq-'));
  writeFileSync(join(directory, 'file'), '');
  assert.throws(() => connectSeqpacket(join(directory, 'file')), {
    code: 'ECONNREFUSED',
    path: join(directory, 'file'),
  });
  assert.throws(() => connectSeqpacket(join(directory, 'none')), { code: 'ENOENT' });
  rmSync(directory, { recursive: true });
});

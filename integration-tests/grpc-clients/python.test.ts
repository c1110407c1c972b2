import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { bootEngine, type Engine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

const root = resolve(import.meta.dirname, '..', '..');
const example = join(root, 'examples/clients/python');
const proto = join(root, 'proto');

function havePython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
const skip = havePython() ? false : 'python3 with venv is not installed: apt-get install python3-venv';

let engine: Engine;
let home: string;
let python: string;

before(async () => {
  if (skip) return;
  home = mkdtempSync(join(tmpdir(), 'ls-python-'));
  python = join(home, 'venv/bin/python');
  execFileSync('python3', ['-m', 'venv', join(home, 'venv')]);
  const requirements = join(example, 'requirements.txt');
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', '-r', requirements], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const client = join(home, 'client');
  mkdirSync(join(client, 'gen'), { recursive: true });
  cpSync(join(example, 'run.py'), join(client, 'run.py'));
  const files = globSync('longshore/**/*.proto', { cwd: proto });
  const out = [`--python_out=${client}/gen`, `--grpc_python_out=${client}/gen`];
  execFileSync(python, ['-m', 'grpc_tools.protoc', '-I', proto, ...out, ...files], { cwd: proto });
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  if (skip) return;
  await engine.dispose();
  rmSync(home, { recursive: true, force: true });
  assert.deepEqual(engine.state(), nothing);
});

test('a Python client with its own generated code watches the boot, lists and runs containers through the gateway’s socket', {
  skip,
}, async () => {
  await engine.dockerWith(undefined, 'create', '--name', 'seen', 'busybox', 'true');
  const ran = promisify(execFile)(
    python,
    [join(home, 'client/run.py'), engine.host, 'busybox', 'sh', '-c', 'echo from grpc; exit 5'],
    {
      timeout: 60_000,
    },
  );
  const { code, stdout } = await ran.then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string; stderr: string }) => {
      assert.equal(error.code, 5, error.stderr);
      return error;
    },
  );
  assert.equal(code, 5);
  assert.match(stdout, /^step \d+: load graph driver: /m);
  assert.match(stdout, /^container seen: CONTAINER_STATUS_CREATED$/m);
  assert.match(stdout, /^from grpc$/m);
});

test('reflection names every service, to a client that has no contract', { skip }, async () => {
  const script = `
import grpc, sys
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
with grpc.insecure_channel(sys.argv[1], options=[("grpc.default_authority", "localhost")]) as channel:
    print("\\n".join(ProtoReflectionDescriptorDatabase(channel).get_services()))
`;
  const { stdout } = await promisify(execFile)(python, ['-c', script, engine.host], { timeout: 30_000 });
  const services = stdout.split('\n');
  for (const name of [
    'daemon.v1.ContainerService',
    'graph.v1.ImageService',
    'execdriver.v1.StreamService',
    'network.v1.NetworkService',
  ])
    assert.ok(services.includes(`longshore.${name}`), stdout);
});

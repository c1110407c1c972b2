import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createMounts } from '../../kit/linux/mounts.ts';
import { createNetworkNamespaces } from '../../kit/linux/namespaces.ts';
import { createRtnetlink, type Rtnetlink } from '../../kit/linux/rtnetlink.ts';
import { silentLogger } from '../../kit/log.ts';
import { dial } from '../../kit/rpc/dial.ts';
import { ControlServiceDefinition, type InitRequest } from '../../proto/gen/longshore/network/v1/control.ts';
import { HostServiceDefinition } from '../../proto/gen/longshore/network/v1/host.ts';
import { NetworkServiceDefinition } from '../../proto/gen/longshore/network/v1/network.ts';
import { SandboxMode, SandboxServiceDefinition } from '../../proto/gen/longshore/network/v1/sandbox.ts';

export const needsRoot = process.getuid?.() === 0 ? false : 'needs root to make network namespaces';
export const engineId = 'ab'.repeat(16);
export const bridgeName = 'lsbr0';
/** Of the host, as others see it; and of a machine beside it. */
export const hostAddress = '10.77.1.1';
export const outsideAddress = '10.77.1.2';

const actorProgram = new URL('./actor-process.fixture.ts', import.meta.url).pathname;
const serviceProgram = new URL('./main.ts', import.meta.url).pathname;
const namespaces = createNetworkNamespaces();
const rtnetlink = createRtnetlink();

export const sandboxId = (n: number): string => n.toString(16).padStart(64, '0');

/** A program in a namespace that serves and asks for the test. */
export interface Actor {
  serve(protocol: 'tcp' | 'udp', port: number, host?: string): Promise<string>;
  /** What the server said: its name and whom it saw. Rejects with the error's code, ETIMEDOUT after 1.5 s. */
  ask(protocol: 'tcp' | 'udp', host: string, port: number, sourcePort?: number): Promise<string>;
}

/**
 * A host of the test's own: a network namespace in which the service runs as a process, with a second one, `outside`, beside
 * it on a wire. Nothing of the machine's own network is touched.
 */
export async function engineHost() {
  const root = mkdtempSync(join(tmpdir(), 'longshore-network-'));
  const [hostPath, outsidePath] = [join(root, 'host'), join(root, 'outside')];
  namespaces.create(hostPath);
  namespaces.create(outsidePath);
  wire(hostPath, outsidePath);
  const resolvConf = join(root, 'resolv.conf');
  writeFileSync(resolvConf, 'nameserver 192.0.2.53\n');

  const [dataRoot, execRoot] = [join(root, 'data'), join(root, 'exec')];
  const socket = join(execRoot, 'network.sock');
  const children = new Set<ChildProcess>();
  let service: ChildProcess | undefined;
  const born = (path: string, program: string, args: readonly string[], quiet: boolean) => {
    const child = namespaces.run(path, () =>
      spawn(process.execPath, [program, ...args], {
        stdio: quiet ? ['ignore', 'ignore', 'inherit'] : ['pipe', 'pipe', 'inherit'],
      }),
    );
    children.add(child);
    return child;
  };
  const ended = async (child: ChildProcess) => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    children.delete(child);
  };

  const channel = dial(`unix://${socket}`, { role: 'daemon', log: silentLogger() });
  const control = channel.client(ControlServiceDefinition);
  let epoch = 0;
  const host = {
    root,
    hostPath,
    outsidePath,
    netns: join(execRoot, 'netns'),
    files: join(execRoot, 'sandboxes'),
    records: join(dataRoot, 'network', 'records.db'),
    control,
    hostService: channel.client(HostServiceDefinition),
    networks: channel.client(NetworkServiceDefinition),
    sandboxes: channel.client(SandboxServiceDefinition),
    async start() {
      mkdirSync(execRoot, { recursive: true });
      service = born(
        hostPath,
        serviceProgram,
        ['--data-root', dataRoot, '--exec-root', execRoot, '--log-level', 'error'],
        true,
      );
      if (!(await channel.ready(10_000))) throw new Error('the network service does not answer');
    },
    async kill(signal: NodeJS.Signals = 'SIGKILL') {
      service?.kill(signal);
      if (service !== undefined) await ended(service);
      service = undefined;
    },
    init(policy: Partial<InitRequest> = {}) {
      epoch += 1;
      return control.init({
        fence: { engineId, epoch },
        bridgeName,
        icc: true,
        iptables: true,
        ipForward: true,
        mtu: 1400,
        ...policy,
      });
    },
    /** A sandbox on the bridge, with a server on port 80 in it. */
    async web(n: number, ports: { hostIp?: string; hostPort?: number; protocol?: string }[] = []) {
      const { sandbox } = await host.sandboxes.createSandbox({
        id: sandboxId(n),
        mode: SandboxMode.SANDBOX_MODE_ENDPOINTS,
        endpoints: [{ network: 'bridge' }],
        ports: ports.map((port) => ({ protocol: 'tcp', containerPort: 80, ...port })),
        containerName: `/web${n}`,
      });
      if (sandbox === undefined) throw new Error('no sandbox');
      const actor = host.actor(sandbox.namespacePath, `web${n}`);
      await actor.serve('tcp', 80);
      const address = sandbox.endpoints[0]?.ipv4Address ?? '';
      return { sandbox, actor, address };
    },
    actor(path: string, name = 'actor'): Actor {
      const child = born(path, actorProgram, [], false);
      return actorOf(child, name);
    },
    /** Runs a program in a namespace and returns what it printed. */
    run: (path: string, file: string, ...args: string[]): string =>
      namespaces.run(path, () => execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })),
    inHost: <T>(look: (links: Rtnetlink) => T): T => namespaces.run(hostPath, () => look(rtnetlink)),
    /** Everything of ours that the kernel has on this host. */
    remains() {
      const links = host.inHost((each) => each.links().filter((link) => link.alias?.includes(engineId)));
      const rules = `${host.run(hostPath, 'nft', 'list', 'ruleset')}${host.run(hostPath, 'iptables', '-S')}`;
      return {
        links: links.map((link) => link.name),
        rules: rules.split('\n').filter((line) => line.includes('longshore') || line.includes(bridgeName)),
        namespaces: existsSync(host.netns) ? [...createMounts().list(host.netns)].map((mount) => mount.target) : [],
      };
    },
    async [Symbol.asyncDispose]() {
      channel.close();
      for (const child of [...children]) {
        child.kill('SIGKILL');
        await ended(child);
      }
      const mounts = createMounts();
      for (const { target } of mounts.list(root).reverse()) mounts.unmount(target, { detach: true });
      rmSync(root, { recursive: true, force: true });
    },
  };
  return host;
}

export type EngineHost = Awaited<ReturnType<typeof engineHost>>;

/** A host whose service is started and initialised. */
export async function initialisedHost(policy: Partial<InitRequest> = {}): Promise<EngineHost> {
  const host = await engineHost();
  try {
    await host.start();
    await host.init(policy);
    return host;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

function wire(hostPath: string, outsidePath: string): void {
  const namespace = openSync(outsidePath, 'r');
  try {
    namespaces.run(hostPath, () =>
      rtnetlink.apply(
        { kind: 'set link', name: 'lo', up: true },
        { kind: 'create veth', name: 'wan0', alias: 'test', peer: { name: 'eth0', namespace }, up: true },
        { kind: 'add address', link: 'wan0', address: `${hostAddress}/24` },
      ),
    );
  } finally {
    closeSync(namespace);
  }
  namespaces.run(outsidePath, () =>
    rtnetlink.apply(
      { kind: 'set link', name: 'lo', up: true },
      { kind: 'add address', link: 'eth0', address: `${outsideAddress}/24` },
      { kind: 'set link', name: 'eth0', up: true },
      { kind: 'add default route', gateway: hostAddress, link: 'eth0' },
    ),
  );
}

function actorOf(child: ChildProcess, name: string): Actor {
  const waiting = new Map<number, (answer: { text?: string; error?: string }) => void>();
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('an actor needs its pipes');
  createInterface({ input: stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as { id: number; text?: string; error?: string };
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  let last = 0;
  const command = async (fields: object): Promise<string> => {
    const id = ++last;
    const { promise, resolve } = Promise.withResolvers<{ text?: string; error?: string }>();
    waiting.set(id, resolve);
    stdin.write(`${JSON.stringify({ id, name, ...fields })}\n`);
    const { text, error } = await promise;
    if (error !== undefined) throw new Error(error);
    return text ?? '';
  };
  return {
    serve: (protocol, port, host = '0.0.0.0') => command({ op: 'serve', protocol, host, port }),
    ask: (protocol, host, port, sourcePort) => command({ op: 'ask', protocol, host, port, sourcePort }),
  };
}

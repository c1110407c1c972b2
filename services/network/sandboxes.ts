import { nowNs } from '../../kit/clock.ts';
import type { Logger } from '../../kit/log.ts';
import { idempotent } from '../../kit/outcomes.ts';
import { createKeyedQueue } from '../../kit/queue.ts';
import type { Records } from '../../kit/records.ts';
import { currentCall } from '../../kit/rpc/call.ts';
import type { Sequence } from '../../kit/watch.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  CreateSandboxRequest,
  CreateSandboxResponse,
  RemoveSandboxRequest,
  RemoveSandboxResponse,
  type Sandbox,
  SandboxMode,
  UpdateSandboxRequest,
  UpdateSandboxResponse,
} from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { type Engine, markOf } from './engine.ts';
import { errors } from './errors.ts';
import type { PortMapping } from './firewall-rules.ts';
import type { Ipam } from './ipam.ts';
import type { NetworkEvent } from './network-events.ts';
import type { Networks } from './networks.ts';
import type { PortTable } from './port-table.ts';
import { planEndpoints } from './sandbox-plan.ts';
import { mappingsOf, wantedPorts } from './sandbox-ports.ts';
import type { SandboxRecord, SandboxRecords } from './sandbox-records.ts';
import { checkExtraHosts, checkSandboxRequest } from './sandbox-request.ts';
import type { SandboxStack } from './sandbox-stack.ts';
import type { VethSweeper } from './veth-sweeper.ts';

/** Network stacks of containers: made whole or not at all, and taken down whatever state they are in. */
export interface Sandboxes {
  create(request: CreateSandboxRequest): Promise<CreateSandboxResponse>;
  update(request: UpdateSandboxRequest): Promise<UpdateSandboxResponse>;
  remove(request: RemoveSandboxRequest): Promise<RemoveSandboxResponse>;
  /** SANDBOX_NOT_FOUND. */
  get(id: string): Sandbox;
  /** Those that stand. */
  all(): SandboxRecord[];
  /** Takes down what is not in `keep`. */
  keepOnly(keep: ReadonlySet<string>): Promise<{ removed: string[]; problems: string[] }>;
  /** Takes down what a crash or a reboot has left half made, half removed, or without its kernel. */
  settleRemains(): void;
  /** True when the kernel still has what the record says. */
  stands(record: SandboxRecord): boolean;
  /** The published ports of all that stand. */
  mappings(): PortMapping[];
}

export interface SandboxesContext {
  records: Records;
  sandboxRecords: SandboxRecords;
  networks: Networks;
  ipam: Ipam;
  ports: PortTable;
  stack: SandboxStack;
  events: Sequence<NetworkEvent>;
  sweeper: VethSweeper;
  log: Logger;
  bootId: string;
  /** Undefined before the first Init. */
  engine(): Engine | undefined;
  /** NOT_INITIALISED. */
  needEngine(): Engine;
}

export function createSandboxes(context: SandboxesContext): Sandboxes {
  const { records, sandboxRecords, ports, stack, needEngine } = context;
  const queue = createKeyedQueue();

  const once = <Request, Response>(
    request: Request,
    requests: { encode(message: Request): { finish(): Uint8Array } },
    responses: { encode(message: Response): { finish(): Uint8Array }; decode(bytes: Uint8Array): Response },
    work: Parameters<typeof idempotent<Response>>[1],
  ): Promise<Response> =>
    idempotent(
      {
        records,
        call: currentCall(),
        survives: 'kill',
        request: requests.encode(request).finish(),
        encode: (response) => responses.encode(response).finish(),
        decode: (bytes) => responses.decode(bytes),
      },
      work,
    );

  const standing = () =>
    sandboxRecords.all().filter((record) => record.state === 'ready' && record.bootId === context.bootId);
  const mappings = () => standing().flatMap((record) => mappingsOf(record.sandbox));

  /** Gives the addresses and writes down what is about to be made. */
  function plan(request: CreateSandboxRequest, engine: Engine): SandboxRecord {
    const { id, mode } = request;
    const namespacePath = mode === SandboxMode.SANDBOX_MODE_HOST ? '' : stack.namespacePath(id);
    const sandbox: Sandbox = { id, mode, namespacePath, endpoints: [], ports: [], ...stack.filePaths(id) };
    const record: SandboxRecord = { id, state: 'creating', bootId: context.bootId, spec: request, sandbox };
    records.transaction(() => {
      sandboxRecords.insert(record);
      sandbox.endpoints = planEndpoints(request, engine, context.networks, context.ipam);
      sandboxRecords.setAnswer(sandbox);
    });
    return record;
  }

  /** Forgets the record only when nothing is left; `settle` does that in a transaction of its own or the verb's. */
  function takeDown(record: SandboxRecord, settle: (forget: () => void) => void): void {
    const { id, sandbox } = record;
    const engine = context.engine();
    stack.remove(record, engine, () =>
      mappings().filter((port) => port.targetAddress !== sandbox.endpoints[0]?.ipv4Address),
    );
    ports.release(id);
    settle(() => sandboxRecords.delete(id));
    if (engine !== undefined)
      for (const endpoint of sandbox.endpoints) context.sweeper.expectGone(markOf(engine.id, endpoint.id));
  }

  function undo(record: SandboxRecord): void {
    try {
      takeDown(record, records.transaction);
    } catch (error) {
      context.log.error(
        { err: error, sandbox: record.id },
        'a sandbox is not wholly taken down; the next start tries again',
      );
    }
  }

  function announce(action: string, sandbox: Sandbox): void {
    for (const { networkId, networkName } of sandbox.endpoints) {
      const attributes = { container: sandbox.id, name: networkName, type: 'bridge' };
      context.events.append({ action, networkId, attributes, timeNs: nowNs() });
    }
  }

  async function createNew(request: CreateSandboxRequest, settle: (sandbox: Sandbox) => CreateSandboxResponse) {
    const engine = needEngine();
    const record = plan(request, engine);
    const { sandbox } = record;
    try {
      const [endpoint] = sandbox.endpoints;
      if (endpoint !== undefined && request.ports.length > 0) {
        const name = request.containerName.replace(/^\//, '');
        const wanted = wantedPorts(request, engine.policy);
        sandbox.ports = await ports.take(request.id, name, wanted, () => endpoint.ipv4Address);
      }
      await stack.prepare(record, engine);
      // A Drain or another Init may have come while the ports were bound.
      const now = needEngine();
      if (!isSameBridge(now, engine)) throw errors.notInitialised();
      stack.build(record, now, mappings);
      return settle(sandbox);
    } catch (error) {
      undo(record);
      throw error;
    }
  }

  /** False: there is no such sandbox. */
  function removeNow(id: string, commit: (settle: () => void) => void): boolean {
    const record = sandboxRecords.find(id);
    if (record === undefined) return false;
    sandboxRecords.setState(id, 'removing');
    takeDown(record, (forget) =>
      commit(() => {
        forget();
        if (record.state !== 'creating') announce('disconnect', record.sandbox);
      }),
    );
    return true;
  }

  return {
    mappings,
    all: standing,
    stands: stack.stands,

    async create(request) {
      checkSandboxRequest(request);
      return once(request, CreateSandboxRequest, CreateSandboxResponse, (commit) =>
        queue.run(request.id, async () => {
          needEngine();
          const before = sandboxRecords.find(request.id);
          if (before?.state === 'ready' && stack.stands(before)) {
            if (!isSame(before.spec, request)) throw errors.sandboxExists({ sandbox: request.id });
            return commit({ outcome: Outcome.OUTCOME_ALREADY, sandbox: before.sandbox });
          }
          if (before !== undefined) takeDown(before, records.transaction);
          return createNew(request, (sandbox) =>
            commit({ outcome: Outcome.OUTCOME_DONE, sandbox }, () => {
              sandboxRecords.settle(sandbox);
              announce('connect', sandbox);
            }),
          );
        }),
      );
    },

    async update(request) {
      const { id, extraHosts } = request;
      checkExtraHosts(extraHosts);
      return once(request, UpdateSandboxRequest, UpdateSandboxResponse, (commit) =>
        queue.run(id, () => {
          const engine = needEngine();
          const record = sandboxRecords.find(id);
          if (record?.state !== 'ready' || !stack.stands(record)) return commit({ outcome: Outcome.OUTCOME_ABSENT });
          const spec = { ...record.spec, extraHosts };
          if (isSame(spec, record.spec)) return commit({ outcome: Outcome.OUTCOME_ALREADY });
          // A death before the record has them leaves a caller without an answer, and its repeat writes them again.
          stack.rewriteHosts({ ...record, spec }, engine);
          return commit({ outcome: Outcome.OUTCOME_DONE }, () => sandboxRecords.setSpec(spec));
        }),
      );
    },

    async remove(request) {
      return once(request, RemoveSandboxRequest, RemoveSandboxResponse, (commit) =>
        queue.run(request.id, () => {
          needEngine();
          let response: RemoveSandboxResponse = { outcome: Outcome.OUTCOME_DONE };
          const isRemoved = removeNow(request.id, (settle) => {
            response = commit(response, settle);
          });
          return isRemoved ? response : commit({ outcome: Outcome.OUTCOME_ABSENT });
        }),
      );
    },

    get(id) {
      const record = sandboxRecords.find(id);
      if (record === undefined || record.state !== 'ready') throw errors.sandboxNotFound({ sandbox: id });
      return record.sandbox;
    },

    async keepOnly(keep) {
      const removed: string[] = [];
      const problems: string[] = [];
      const unwanted = sandboxRecords.all().filter((record) => !keep.has(record.id));
      const removals = unwanted.map(async ({ id }) => {
        try {
          if (await queue.run(id, () => removeNow(id, records.transaction))) removed.push(id);
        } catch (error) {
          problems.push(`sandbox ${id}: ${error instanceof Error ? error.message : String(error)}`);
        }
      });
      await Promise.all(removals);
      return { removed, problems };
    },

    settleRemains() {
      for (const record of sandboxRecords.all()) {
        if (record.state !== 'ready' || record.bootId !== context.bootId) undo(record);
      }
    },
  };
}

function isSame(one: CreateSandboxRequest, other: CreateSandboxRequest): boolean {
  const bytes = (request: CreateSandboxRequest) => CreateSandboxRequest.encode(request).finish();
  return Buffer.compare(bytes(one), bytes(other)) === 0;
}

function isSameBridge({ bridge: one }: Engine, { bridge: other }: Engine): boolean {
  return (
    one?.name === other?.name &&
    one?.gateway.address === other?.gateway.address &&
    one?.gateway.prefix === other?.gateway.prefix
  );
}

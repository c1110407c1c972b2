import type { Control } from '../../kit/control.ts';
import { pinUserNamespace, unpin } from '../../kit/linux/user-namespaces.ts';
import type { Logger } from '../../kit/log.ts';
import { createKeyedQueue } from '../../kit/queue.ts';
import { InitRequest } from '../../proto/gen/longshore/network/v1/control.ts';
import { type Engine, markOf } from './engine.ts';
import { errors } from './errors.ts';
import type { HostNetwork } from './host-network.ts';
import type { PortTable } from './port-table.ts';
import type { Remains } from './remains.ts';
import { mappingsOf } from './sandbox-ports.ts';
import type { Sandboxes } from './sandboxes.ts';
import type { VethSweeper } from './veth-sweeper.ts';

/** Whom the service works for, and the beginning and the end of that. One such verb at a time. */
export interface NetworkControl {
  engine(): Engine | undefined;
  /** NOT_INITIALISED, also while Drain is at work. */
  needEngine(): Engine;
  /** Carries on with what the last Init said. Without one, nothing happens. */
  resume(): Promise<void>;
  init(request: InitRequest): Promise<{ engine: Engine; warnings: string[] }>;
  /** Makes the set of sandboxes exactly this one. */
  reconcile(keep: readonly string[]): Promise<{ removed: string[]; missing: string[] }>;
  /** Forgets Init. Returns what could not be taken down. */
  drain(keep: readonly string[]): Promise<string[]>;
}

export interface ControlContext {
  control: Control;
  hostNetwork: HostNetwork;
  sandboxes(): Sandboxes;
  ports: PortTable;
  remains: Remains;
  sweeper: VethSweeper;
  /** Where the user namespace of containers is pinned, when Init has id maps. */
  userNamespacePath: string;
  log: Logger;
  /** The verbs of sandboxes answer, or no longer do. */
  setServing(isServing: boolean): void;
}

export function createNetworkControl(context: ControlContext): NetworkControl {
  const { control, hostNetwork, ports, log } = context;
  const queue = createKeyedQueue();
  const oneAtATime = <T>(work: () => Promise<T>) => queue.run('control', work);
  let current: Engine | undefined;
  let isDraining = false;
  let hasTakenOver = false;

  /**
   * What the process before has left: half made things are settled, ports are held again (their sockets ended with it).
   * Once, before anything new is made that could be taken for remains.
   */
  async function takeOver(engineId: string): Promise<void> {
    const standing = context.sandboxes().all();
    const endpoints = standing.flatMap((record) => record.sandbox.endpoints);
    context.remains.sweep({
      markPrefix: markOf(engineId, ''),
      marks: new Set(endpoints.map((endpoint) => markOf(engineId, endpoint.id))),
      sandboxes: new Set(standing.map((record) => record.id)),
    });
    const adoptions = standing.map(async ({ id, spec, sandbox }) => {
      const mappings = mappingsOf(sandbox);
      const name = spec.containerName.replace(/^\//, '');
      const lost = await ports.adopt(id, name, mappings, mappings[0]?.targetAddress ?? '');
      for (const port of lost) log.warn({ sandbox: id, port: port.hostPort }, 'another program has a published port');
    });
    await Promise.all(adoptions);
  }

  async function setUp(engineId: string, policy: InitRequest) {
    const sandboxes = context.sandboxes();
    if (!hasTakenOver) sandboxes.settleRemains();
    const endpoints = sandboxes.all().flatMap((record) => record.sandbox.endpoints);
    if (policy.idMaps !== undefined) {
      // One with other maps, where these have been changed and nobody uses it any more.
      if (sandboxes.all().length === 0) unpin(context.userNamespacePath);
      await pinUserNamespace(context.userNamespacePath, policy.idMaps);
    }
    const result = await hostNetwork.setUp(engineId, policy, endpoints.length, sandboxes.mappings());
    if (!hasTakenOver) await takeOver(engineId);
    hasTakenOver = true;
    const marks = new Set(endpoints.map((endpoint) => markOf(engineId, endpoint.id)));
    hostNetwork.joinBridge(result.engine, marks);
    current = result.engine;
    context.setServing(true);
    for (const warning of result.warnings) log.warn(warning);
    return result;
  }

  return {
    engine: () => current,
    needEngine() {
      if (current === undefined || isDraining) throw errors.notInitialised();
      return current;
    },

    resume: () =>
      oneAtATime(async () => {
        const remembered = control.remembered();
        if (remembered === undefined) return;
        try {
          await setUp(remembered.engineId, InitRequest.decode(remembered.policy));
        } catch (error) {
          log.error({ err: error }, 'cannot carry on with the last initialisation; waiting for the next');
        }
      }),

    init: (request) =>
      oneAtATime(async () => {
        const policy = {
          ...request,
          fence: undefined,
          bridgeName: request.bridgeName === '' ? 'longshore0' : request.bridgeName,
        };
        const accepted = control.accept(request.fence, InitRequest.encode(policy).finish());
        const result = await setUp(control.fence().engineId, policy);
        accepted.remember();
        return result;
      }),

    reconcile: (keep) =>
      oneAtATime(async () => {
        const sandboxes = context.sandboxes();
        const { removed, problems } = await sandboxes.keepOnly(new Set(keep));
        const whole = new Set(
          sandboxes
            .all()
            .filter(sandboxes.stands)
            .map((record) => record.id),
        );
        for (const problem of problems) log.error(`not wholly taken down: ${problem}`);
        return { removed, missing: keep.filter((id) => !whole.has(id)) };
      }),

    drain: (keep) =>
      oneAtATime(async () => {
        const { engineId } = control.fence();
        const sandboxes = context.sandboxes();
        context.setServing(false);
        isDraining = true;
        try {
          const { problems } = await sandboxes.keepOnly(new Set(keep));
          if (engineId !== '' && sandboxes.all().length === 0) {
            await context.sweeper.clear(markOf(engineId, ''));
            problems.push(...(await hostNetwork.takeAway(engineId)));
            unpin(context.userNamespacePath);
          }
          current = undefined;
          control.forget();
          return problems;
        } finally {
          isDraining = false;
        }
      }),
  };
}

import type { Control } from '../../kit/control.ts';
import { createKeyedQueue } from '../../kit/queue.ts';
import { type ControlServiceImplementation, InitRequest } from '../../proto/gen/longshore/execdriver/v1/control.ts';
import type { Session } from './session.ts';

/** Opens and closes sessions by what the coordinator says. */
export interface Sessions {
  readonly current: Session | undefined;
  open(policy: InitRequest, engineId: string): Promise<Session>;
  /** Gives the open one up: the verbs are refused from now on. It goes on until it is closed. */
  take(): Session | undefined;
}

export function controlService(parts: {
  control: Control;
  sessions: Sessions;
  identity: { version: string; dataRoot: string; execRoot: string };
}): ControlServiceImplementation {
  const { control, sessions, identity } = parts;
  const queue = createKeyedQueue();
  return {
    identify: async () => ({ identity: { ...identity, pid: process.pid, ...control.fence() } }),

    // One after the other: each takes over from the one before.
    init: (request) =>
      queue.run('policy', async () => {
        const accepted = control.accept(request.fence, encodePolicy(request));
        const { engineId } = control.fence();
        const isOpen = accepted.unchanged && sessions.current !== undefined;
        const session = isOpen ? sessions.current : await sessions.open(request, engineId);
        accepted.remember();
        const { runtime, monitor, warnings, driver } = session;
        const adopted = driver.list().filter(({ isLiving }) => isLiving).length;
        return { runtime, monitor, warnings: [...warnings], adopted };
      }),

    drain: ({ keep }) =>
      queue.run('policy', async () => {
        const session = sessions.take();
        const problems = (await session?.drain(new Set(keep))) ?? [];
        session?.close();
        control.forget();
        return { problems };
      }),
  };
}

/** What is remembered of an Init: all but who sent it. */
export function encodePolicy(request: InitRequest): Uint8Array {
  return InitRequest.encode({ ...request, fence: undefined }).finish();
}

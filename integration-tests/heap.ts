import { once } from 'node:events';
import type { Engine } from './engine.ts';
import { until } from './engine.ts';

/** Lets `heapOf` look into an engine's processes: each listens on a port of its own when it is asked to. */
export const inspectable = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' };

/**
 * Bytes that live on the heap of a role's process, after a forced collection. It is the very process that users run: Node
 * opens its inspector on SIGUSR1, which is closed again afterwards.
 */
export async function heapOf(engine: Engine, role: string): Promise<number> {
  const told = engine.output().length;
  process.kill(engine.pidOf(role), 'SIGUSR1');
  const address = () => /Debugger listening on (ws:\S+)/.exec(engine.output().slice(told))?.[1];
  await until(() => address() !== undefined, 10_000);
  const socket = new WebSocket(address() ?? '');
  await once(socket, 'open');
  let number = 0;
  const ask = async (method: string, params: object = {}): Promise<unknown> => {
    const id = ++number;
    socket.send(JSON.stringify({ id, method, params }));
    for (;;) {
      const [{ data }] = (await once(socket, 'message')) as [{ data: string }];
      const answer = JSON.parse(data) as { id?: number; result?: unknown };
      if (answer.id === id) return answer.result;
    }
  };
  try {
    // What only finalizers let go is gone after the second.
    for (let round = 0; round < 2; round++) await ask('HeapProfiler.collectGarbage');
    const { usedSize } = (await ask('Runtime.getHeapUsage')) as { usedSize: number };
    const close = 'setTimeout(() => process.getBuiltinModule("node:inspector").close(), 20); 0';
    await ask('Runtime.evaluate', { expression: close });
    return usedSize;
  } finally {
    socket.close();
    await once(socket, 'close');
  }
}

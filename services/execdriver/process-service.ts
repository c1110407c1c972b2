import { idempotent } from '../../kit/outcomes.ts';
import type { Records } from '../../kit/records.ts';
import { currentCall } from '../../kit/rpc/call.ts';
import type { Sequence } from '../../kit/watch.ts';
import {
  PauseContainerRequest,
  PauseContainerResponse,
  type ProcessServiceImplementation,
  RemoveContainerRequest,
  RemoveContainerResponse,
  ResizeTerminalRequest,
  ResizeTerminalResponse,
  ResumeContainerRequest,
  ResumeContainerResponse,
  SignalContainerRequest,
  SignalContainerResponse,
  StartContainerRequest,
  StartContainerResponse,
} from '../../proto/gen/longshore/execdriver/v1/process.ts';
import type { Attachments } from './containers/attachments.ts';
import type { ContainerEvent } from './containers/events.ts';
import type { ExecDriver } from './containers/exec-driver.ts';
import { errors } from './errors.ts';
import { checkId } from './ids.ts';
import { eventMessage, exitMessage, outcomeMessage, processMessage } from './messages.ts';
import type { Paths } from './paths.ts';

export function processService(parts: {
  records: Records;
  /** Throws NOT_INITIALISED before the first Init. */
  driver: () => ExecDriver;
  attachments: Attachments;
  events: Sequence<ContainerEvent>;
  paths: Paths;
}): ProcessServiceImplementation {
  const { records, driver, attachments, events, paths } = parts;
  const once = <Q extends { id: string }, A>(
    request: Q,
    requests: { encode(message: Q): { finish(): Uint8Array } },
    answers: { encode(message: A): { finish(): Uint8Array }; decode(bytes: Uint8Array): A },
    work: Parameters<typeof idempotent<A>>[1],
  ): Promise<A> => {
    checkId(request.id);
    const encode = (answer: A) => answers.encode(answer).finish();
    const decode = (bytes: Uint8Array) => answers.decode(bytes);
    return idempotent(
      { records, call: currentCall(), request: requests.encode(request).finish(), encode, decode, survives: 'kill' },
      work,
    );
  };

  return {
    startContainer: (request) =>
      once(request, StartContainerRequest, StartContainerResponse, async (commit) => {
        const { id, generation, spec } = request;
        if (spec === undefined) throw errors.badSpec({ field: 'spec', detail: 'a container needs a spec' });
        const { outcome, record } = await driver().start({ id, generation, spec }, (running, settle) => {
          commit({ outcome: outcomeMessage('done'), process: processMessage(running, paths) }, settle);
        });
        return { outcome: outcomeMessage(outcome), process: processMessage(record, paths) };
      }),

    signalContainer: (request) =>
      once(request, SignalContainerRequest, SignalContainerResponse, async () => ({
        outcome: outcomeMessage(await driver().signal(request.id, request.signal, request.all)),
      })),

    pauseContainer: (request) =>
      once(request, PauseContainerRequest, PauseContainerResponse, async () => ({
        outcome: outcomeMessage(await driver().pause(request.id)),
      })),

    resumeContainer: (request) =>
      once(request, ResumeContainerRequest, ResumeContainerResponse, async () => ({
        outcome: outcomeMessage(await driver().resume(request.id)),
      })),

    resizeTerminal: (request) =>
      once(request, ResizeTerminalRequest, ResizeTerminalResponse, () => {
        attachments.resize(request.id, request);
        return { outcome: outcomeMessage('done') };
      }),

    async *waitContainer({ id, generation }, { signal }) {
      const { fact, generation: ended } = await driver().wait(id, generation, signal);
      yield { exit: exitMessage(fact), generation: ended };
    },

    removeContainer: (request) =>
      once(request, RemoveContainerRequest, RemoveContainerResponse, async () => ({
        outcome: outcomeMessage(await driver().remove(request.id, request.keepLogs)),
      })),

    getContainer: async ({ id }) => ({ process: processMessage(driver().get(id).record, paths) }),

    async *listContainers() {
      for (const { record } of driver().list()) yield { process: processMessage(record, paths) };
    },

    async *watchContainers({ after }, { signal }) {
      driver();
      const entries = events.watch(after === 0 ? undefined : after, signal);
      yield { latest: events.cursor };
      for await (const { cursor, event } of entries) {
        const { kind, record, timeNs } = event;
        const process = processMessage(record, paths);
        yield { cursor, event: eventMessage(kind), process, timeNs, latest: events.cursor };
      }
    },
  };
}

import { setTimeout as delay } from 'node:timers/promises';
import { nowNs } from '../../kit/clock.ts';
import { idempotent } from '../../kit/outcomes.ts';
import type { Records } from '../../kit/records.ts';
import { currentCall } from '../../kit/rpc/call.ts';
import type { Sequence } from '../../kit/watch.ts';
import {
  CreateExecRequest,
  CreateExecResponse,
  ExecEvent as ExecEventMessage,
  type Exec as ExecMessage,
  type ExecServiceImplementation,
  type ExecSpec,
  type ExecStartRequest,
  ExecState,
  ResizeExecRequest,
  ResizeExecResponse,
  SignalExecRequest,
  SignalExecResponse,
  WatchExecsResponse,
} from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { errors } from './errors.ts';
import type { ExecEvent } from './execs/events.ts';
import type { Execs } from './execs/execs.ts';
import type { Probes } from './execs/probes.ts';
import type { ExecRecord } from './execs/record.ts';
import { checkId } from './ids.ts';
import { outcomeMessage } from './messages.ts';
import { Client } from './stdio/client.ts';
import type { Hub } from './stdio/hub.ts';

const sigkill = 9;
/** How long its making waits to be told: whoever waits for the exec itself goes first, and most have ended by then. */
const tellAfterMs = 25;

export function execService(parts: {
  records: Records;
  execs: () => Execs;
  probes: () => Probes;
  events: Sequence<ExecEvent>;
}): ExecServiceImplementation {
  const { records, execs, probes, events } = parts;
  const call = () => currentCall();

  return {
    createExec(request) {
      const { id, containerId, spec } = request;
      checkId(id);
      if (spec === undefined) throw errors.badSpec({ field: 'spec', detail: 'an exec needs a spec' });
      return idempotent<CreateExecResponse>(
        {
          records,
          call: call(),
          survives: 'kill',
          request: CreateExecRequest.encode(request).finish(),
          encode: (answer) => CreateExecResponse.encode(answer).finish(),
          decode: (bytes) => CreateExecResponse.decode(bytes),
        },
        (commit) => {
          const made = { outcome: outcomeMessage('done') };
          const outcome = execs().create(id, containerId, spec, (save) => commit(made, save));
          return { outcome: outcomeMessage(outcome) };
        },
      );
    },

    async *execStart(requests, { signal }) {
      const frames = requests[Symbol.asyncIterator]();
      const first = (await frames.next()).value?.frame;
      if (first?.$case !== 'open') throw errors.badFrame({ detail: 'the first frame of an exec opens it' });
      const { id, detach, killOnCancel, size, asCreated } = first.value;
      const { stdin, stdout, stderr } = asCreated ? streamsOf(execs().get(id).record.spec) : first.value;
      const wanted = [...(stdout ? (['stdout'] as const) : []), ...(stderr ? (['stderr'] as const) : [])];
      const client = detach ? undefined : new Client(wanted);
      const { exec, started } = execs().start(id, client, size);
      const leave = () =>
        void started.then(
          ({ hub }) => {
            client?.close();
            if (client) hub.leave(client);
            hub.closeInput();
            if (client && killOnCancel && exec.record.state === 'running') execs().signal(id, sigkill);
          },
          () => {},
        );
      signal.addEventListener('abort', leave, { once: true });
      try {
        if (asCreated) yield { frame: { $case: 'accepted', value: { exec: execMessage(exec.record) } } };
        const { hub, pid } = await started;
        if (signal.aborted) return;
        if (client) void passOn(frames, hub, stdin, (rows, columns) => execs().resize(id, { rows, columns }));
        yield { frame: { $case: 'ready', value: { pid } } };
        if (client === undefined) return;
        void Promise.all([hub.ended, exec.ended]).then(([, code]) => client.finish(code));
        for await (const frame of client.frames()) {
          if ('exit' in frame) yield { frame: { $case: 'exit', value: { code: frame.exit } } };
          else yield { frame: { $case: frame.stream, value: frame.bytes } };
        }
      } finally {
        signal.removeEventListener('abort', leave);
        leave();
      }
    },

    signalExec: (request) =>
      idempotent(
        {
          records,
          call: call(),
          survives: 'kill',
          request: SignalExecRequest.encode(request).finish(),
          encode: (answer) => SignalExecResponse.encode(answer).finish(),
          decode: (bytes) => SignalExecResponse.decode(bytes),
        },
        () => ({ outcome: outcomeMessage(execs().signal(request.id, request.signal)) }),
      ),

    resizeExec: (request) =>
      idempotent(
        {
          records,
          call: call(),
          survives: 'kill',
          request: ResizeExecRequest.encode(request).finish(),
          encode: (answer) => ResizeExecResponse.encode(answer).finish(),
          decode: (bytes) => ResizeExecResponse.decode(bytes),
        },
        () => {
          execs().resize(request.id, request);
          return { outcome: outcomeMessage('done') };
        },
      ),

    getExec: async ({ id }) => ({ exec: execMessage(execs().get(id).record) }),

    async *listExecs({ containerId }) {
      for (const { record } of execs().list(containerId)) yield { exec: execMessage(record) };
    },

    async runProbe({ containerId, spec, timeoutNs, outputLimit }, { signal }) {
      checkId(containerId);
      if (spec === undefined) throw errors.badSpec({ field: 'spec', detail: 'a probe needs a spec' });
      const request = { containerId, spec, timeoutMs: Number(timeoutNs) / 1e6, outputLimit };
      const { code, output, isCut } = await probes().run(request, signal);
      return { exitCode: code, output, outputCut: isCut };
    },

    async *watchExecs({ after }, { signal }) {
      execs();
      const latest = events.cursor;
      const stream = events.watch(after || latest, signal);
      yield WatchExecsResponse.create({ latest });
      for await (const { cursor, event } of stream) {
        const { kind, record, timeNs } = event;
        // What follows comes behind it, and an end as soon as that: its container may be removed next.
        const heldMs = kind === 'created' ? tellAfterMs : 0;
        const waitMs = Math.min(heldMs - Number(nowNs() - timeNs) / 1e6, heldMs);
        if (waitMs > 0) await delay(waitMs);
        if (signal.aborted) return;
        yield { cursor, event: kinds[kind], exec: execMessage(record), timeNs, latest: events.cursor };
      }
    },
  };
}

const streamsOf = (spec: ExecSpec) => ({ stdin: spec.openStdin, stdout: spec.attachStdout, stderr: spec.attachStderr });

/** Hands a client's frames to the process, as fast as it takes them. */
async function passOn(
  frames: AsyncIterator<ExecStartRequest>,
  hub: Hub,
  takesInput: boolean,
  resize: (rows: number, columns: number) => void,
): Promise<void> {
  try {
    for (let next = await frames.next(); !next.done; next = await frames.next()) {
      const { frame } = next.value;
      if (frame?.$case === 'stdin' && takesInput) await hub.write(frame.value);
      else if (frame?.$case === 'resize') resize(frame.value.rows, frame.value.columns);
      else if (frame?.$case === 'closeStdin') hub.closeInput();
    }
  } catch {
    // The client is gone; the call's end tells everybody who has to know.
  }
  hub.closeInput();
}

const states = {
  created: ExecState.EXEC_STATE_CREATED,
  starting: ExecState.EXEC_STATE_RUNNING,
  running: ExecState.EXEC_STATE_RUNNING,
  exited: ExecState.EXEC_STATE_EXITED,
} as const;

const kinds = {
  created: ExecEventMessage.EXEC_EVENT_CREATED,
  started: ExecEventMessage.EXEC_EVENT_STARTED,
  exited: ExecEventMessage.EXEC_EVENT_EXITED,
} as const;

function execMessage(record: ExecRecord): ExecMessage {
  const { id, containerId, spec, state, process, exitCode } = record;
  return { id, containerId, spec, state: states[state], pid: process?.pid ?? 0, exitCode };
}

import {
  CreateExecRequest,
  CreateExecResponse,
  type ExecOpen,
  type ExecServiceImplementation,
  type ExecStartRequest,
  type ExecStartResponse,
  ResizeExecRequest,
  ResizeExecResponse,
  SignalExecRequest,
  SignalExecResponse,
} from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { watched } from '../events.ts';
import type { Life } from '../fake.ts';
import { repeatable } from '../repeatable.ts';
import type { ContainerMemory, ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import type { ExecStore } from './execs.ts';
import { createOutbox } from './outbox.ts';
import { runProbe } from './probe.ts';
import { checkUser } from './process-service.ts';
import type { Run } from './run.ts';

const sigkill = 9;

export function execService(
  { records }: Life<ContainerMemory>,
  store: ExecStore,
  containers: ContainerStore,
  needInit: () => unknown,
): ExecServiceImplementation {
  return {
    createExec: repeatable(records, CreateExecRequest, CreateExecResponse, ({ id, containerId, spec }) => {
      needInit();
      if (!/^[0-9a-f]{64}$/.test(id)) throw errors.invalidId({ id });
      if (spec === undefined) throw errors.badSpec({ field: 'spec', problem: 'is needed' });
      checkUser(spec.user);
      return { outcome: store.create(id, containerId, spec) };
    }),
    async *execStart(requests, { signal }) {
      needInit();
      yield* startExec(store, requests, signal);
    },
    signalExec: repeatable(records, SignalExecRequest, SignalExecResponse, ({ id, signal }) => {
      needInit();
      return { outcome: store.signal(id, signal) };
    }),
    resizeExec: repeatable(records, ResizeExecRequest, ResizeExecResponse, ({ id, rows, columns }) => {
      needInit();
      return { outcome: store.resize(id, rows, columns) };
    }),
    async runProbe(request, { signal }) {
      needInit();
      return runProbe(containers, request, signal);
    },
    async getExec({ id }) {
      needInit();
      return { exec: store.find(id).exec };
    },
    async *watchExecs({ after }, { signal }) {
      needInit();
      yield* watched(store.events, after, signal);
    },
    async *listExecs({ containerId }) {
      needInit();
      for (const { exec } of store.of(containerId)) yield { exec };
    },
  };
}

async function* startExec(
  store: ExecStore,
  requests: AsyncIterable<ExecStartRequest>,
  signal: AbortSignal,
): AsyncGenerator<ExecStartResponse, void, undefined> {
  const frames = requests[Symbol.asyncIterator]();
  const first = await frames.next();
  const frame = first.done === true ? undefined : first.value.frame;
  if (frame?.$case !== 'open') throw errors.badFrame({ problem: 'the first frame opens' });
  const { exec, run } = store.start(frame.value.id);
  const { attachStdout: stdout = false, attachStderr: stderr = false, openStdin: stdin = false } = exec.spec ?? {};
  const open = frame.value.asCreated ? { ...frame.value, stdin, stdout, stderr } : frame.value;
  const size = open.size ?? exec.spec?.size;
  if (size !== undefined) store.resize(open.id, size.rows, size.columns);
  if (open.asCreated) yield { frame: { $case: 'accepted', value: { exec } } };
  const ready: ExecStartResponse = { frame: { $case: 'ready', value: { pid: exec.pid } } };

  if (open.detach) {
    run.input.end();
    run.begin();
    yield ready;
    return;
  }

  const outbox = createOutbox<ExecStartResponse>();
  outbox.put(ready);
  const deaf = run.listen({
    output: (stream, value) => open[stream] && outbox.put({ frame: { $case: stream, value } }, value.length),
    ended({ code }) {
      outbox.put({ frame: { $case: 'exit', value: { code } } });
      outbox.end();
    },
  });
  signal.addEventListener('abort', outbox.end, { once: true });
  run.begin();
  pump(store, open, frames, run).catch(() => undefined);
  try {
    yield* outbox.messages();
  } finally {
    deaf();
    run.input.end();
    if (open.killOnCancel) store.signal(open.id, sigkill);
    signal.removeEventListener('abort', outbox.end);
  }
}

async function pump(store: ExecStore, open: ExecOpen, frames: AsyncIterator<ExecStartRequest>, run: Run) {
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    const { frame } = next.value;
    if (frame?.$case === 'resize') store.resize(open.id, frame.value.rows, frame.value.columns);
    if (frame?.$case === 'stdin' && open.stdin) run.input.push(frame.value);
    if (frame?.$case === 'closeStdin') run.input.end();
  }
  run.input.end();
}

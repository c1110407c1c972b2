import { type ExecSpec, type RunProbeRequest, RunProbeResponse } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { ContainerSpec } from '../../proto/gen/longshore/execdriver/v1/spec.ts';
import type { ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import { createLog } from './log.ts';
import { type Program, programOf } from './program.ts';
import { createRun, type Run } from './run.ts';

const sigkill = 9;
/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1;

/** A health check's command: nothing of it is kept. */
export async function runProbe(
  containers: ContainerStore,
  request: RunProbeRequest,
  signal: AbortSignal,
): Promise<RunProbeResponse> {
  const { containerId, spec, outputLimit } = request;
  if (!/^[0-9a-f]{64}$/.test(containerId)) throw errors.invalidId({ id: containerId });
  if (spec === undefined) throw errors.badSpec({ field: 'spec', problem: 'is needed' });
  if (request.timeoutNs <= 0n) throw errors.badSpec({ field: 'timeout_ns', problem: 'a probe needs a timeout' });
  const host = servingRun(containers, containerId);
  const run = createRun({
    generation: 1,
    spec: ContainerSpec.fromPartial({ args: spec.args }),
    program: programFor(spec),
    log: createLog(),
  });
  const chunks: Buffer[] = [];
  run.listen({ output: (_, bytes) => void chunks.push(bytes), ended: () => undefined });
  const deaf = host.listen({ output: () => undefined, ended: () => run.end({ code: 137, oomKilled: false }) });
  const kill = () => void run.signal(sigkill);
  let isLate = false;
  const late = () => {
    isLate = true;
    kill();
  };
  const timer = setTimeout(late, Math.min(Number(request.timeoutNs) / 1e6, longestTimerMs));
  signal.addEventListener('abort', kill, { once: true });
  try {
    run.begin();
    const { code } = await run.ended;
    const output = Buffer.concat(chunks);
    return RunProbeResponse.fromPartial({
      exitCode: isLate ? undefined : code,
      output: output.subarray(0, outputLimit),
      outputCut: output.length > outputLimit,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
    deaf();
  }
}

function servingRun(containers: ContainerStore, id: string): Run {
  const run = containers.living(id);
  if (run === undefined) {
    containers.process(id);
    throw errors.notRunning({ id });
  }
  if (run.isPaused) throw errors.containerPaused({ id });
  return run;
}

function programFor({ args }: ExecSpec): Program {
  const program = programOf(args);
  const [command = ''] = args;
  if (typeof program === 'function') return program;
  throw program === 'not found' ? errors.commandNotFound({ command }) : errors.commandNotExecutable({ command });
}

import { randomBytes } from 'node:crypto';
import { isServiceError, messageOf } from '../../../../kit/errors.ts';
import { detached } from '../../../../kit/rpc/call.ts';
import { ExecSpec, type RunProbeResponse } from '../../../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { EngineEvent } from '../../events/event-log.ts';
import { containerEvent } from '../container-event.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { ContainerRecord } from '../record.ts';
import type { Check } from './check.ts';
import { durationWords } from './duration-words.ts';
import type { ProbeResult } from './health.ts';

/** What a probe has shown, and the event of its end, which is recorded with what becomes of the health. */
export interface Probed {
  /** Undefined: nothing about the container's health. */
  result: ProbeResult | undefined;
  events: readonly EngineEvent[];
}

/** Of its output. */
const keptBytes = 4096;
/** Beyond its timeout: the runtime's start, and a kill that has to take hold. */
const graceMs = 60_000;
/** As a shell has it of what was killed, could not be executed, or was not found. */
const [killedCode, notExecutableCode, notFoundCode] = [137, 126, 127];

/** Runs a container's check once, told as an exec is told. Never rejects. */
export async function runCheck(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  check: Check,
  around: { signal: AbortSignal; nowNs: () => bigint },
): Promise<Probed> {
  const { repository, now, engine, log } = lifecycle;
  const { signal, nowNs } = around;
  const execID = randomBytes(32).toString('hex');
  const tell = (action: string, attributes = {}) => {
    const present = repository.get(record.id);
    return present === undefined ? [] : [containerEvent(present, action, now(), { execID, ...attributes })];
  };
  const ended = (code: number) => tell('exec_die', { exitCode: String(code) });
  const command = check.command.join(' ');
  const startedAtNs = nowNs();
  const resultOf = (exitCode: number, output: string) => ({ startedAtNs, endedAtNs: nowNs(), exitCode, output });
  try {
    repository.apply({ events: [...tell(`exec_create: ${command}`), ...tell(`exec_start: ${command}`)] });
    const request = {
      containerId: record.id,
      spec: ExecSpec.create({ args: [...check.command] }),
      timeoutNs: check.timeoutNs,
      outputLimit: keptBytes,
    };
    const deadlineMs = Number(check.timeoutNs) / 1e6 + graceMs;
    const response = await detached(() => engine.clients.execdriver.execs.runProbe(request, { signal, deadlineMs }));
    const output = outputOf(response);
    if (response.exitCode !== undefined) {
      return { result: resultOf(response.exitCode, output), events: ended(response.exitCode) };
    }
    const late = `Health check exceeded timeout (${durationWords(check.timeoutNs)})`;
    return { result: resultOf(-1, output === '' ? late : `${late}: ${output}`), events: ended(killedCode) };
  } catch (error) {
    const problem = messageOf(error);
    log.debug({ container: record.id, problem }, 'a health check could not be run');
    if (saysNothing(error)) return { result: undefined, events: ended(killedCode) };
    const code = isServiceError(error, 'COMMAND_NOT_FOUND') ? notFoundCode : notExecutableCode;
    return { result: resultOf(-1, problem), events: ended(code) };
  }
}

function outputOf({ output, outputCut }: RunProbeResponse): string {
  const text = Buffer.from(output).toString();
  return outputCut ? `${text}...` : text;
}

/** The engine's own troubles and the container's end are no fault of its health; nor is a full disk here. */
function saysNothing(error: unknown): boolean {
  if (!isServiceError(error)) return true;
  return ['UNAVAILABLE', 'CANCELLED'].includes(error.code) || silent.includes(error.reason);
}

const silent: readonly string[] = ['NOT_RUNNING', 'CONTAINER_PAUSED', 'CONTAINER_NOT_FOUND', 'NOT_INITIALISED'];

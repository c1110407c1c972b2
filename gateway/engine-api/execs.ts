import { randomBytes } from 'node:crypto';
import { isServiceError } from '../../kit/errors.ts';
import { StreamPurpose } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { type Exec, type ExecSpec, ExecState } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { Peers } from '../peers.ts';
import type { Body } from './body.ts';
import { consoleSize } from './container-config.ts';
import { parseDetachKeys } from './detach-keys.ts';
import { endedExecs } from './ended-execs.ts';
import { BadRequest, notFound } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { startExec } from './exec-start.ts';
import type { Routes } from './router.ts';
import { terminalSize } from './terminal.ts';

/** Further processes in running containers: they are the exec driver's; the daemon knows the containers by their names. */
export function execRoutes(peers: Peers): Routes {
  const { containers, execs } = peers;
  const ended = endedExecs();
  return {
    async 'POST /containers/{id:*}/exec'(exchange) {
      const body = await exchange.body();
      if (body === undefined || (body.command('Cmd') ?? []).length === 0) {
        throw new BadRequest('No exec command specified');
      }
      const [id, spec, container] = [randomBytes(32).toString('hex'), execSpec(body), named(exchange)];
      const make = (containerId: string) => execs.createExec({ id, containerId, spec });
      // Who names it by its whole id is not kept waiting for the daemon, unless there is a refusal that it knows more about.
      const isMade = wholeId.test(container) && (await succeeds(make(container), daemonsToTell));
      if (!isMade) {
        const purpose = StreamPurpose.STREAM_PURPOSE_EXEC;
        await make((await containers.openStream({ container, purpose })).containerId);
      }
      exchange.json(201, { Id: id });
    },

    'POST /exec/{id}/start': (exchange) => startExec(exchange, peers, ended),

    async 'POST /exec/{id}/resize'(exchange) {
      await execs.resizeExec({ id: named(exchange), ...terminalSize(exchange.query) });
      exchange.empty(200);
    },

    async 'GET /exec/{id}/json'(exchange) {
      const exec = ended.find(named(exchange)) ?? (await execs.getExec({ id: named(exchange) })).exec;
      if (exec === undefined) throw notFound(`No such exec instance: ${named(exchange)}`);
      exchange.json(200, execJson(exec));
    },
  };
}

const wholeId = /^[0-9a-f]{64}$/;
/** Why an exec cannot be made, where the daemon has the words. */
const daemonsToTell: readonly string[] = ['CONTAINER_NOT_FOUND', 'NOT_RUNNING', 'CONTAINER_PAUSED'];

/** False for a failure of these reasons; another one is thrown. */
async function succeeds(work: Promise<unknown>, reasons: readonly string[]): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (reasons.some((reason) => isServiceError(error, reason))) return false;
    throw error;
  }
}

const named = (exchange: Exchange) => exchange.path.id ?? '';

function execSpec(body: Body): ExecSpec {
  const [rows, columns] = consoleSize(body);
  const detachKeys = body.text('DetachKeys');
  // Refused now, where its author can be told.
  parseDetachKeys(detachKeys || undefined);
  return {
    args: body.command('Cmd') ?? [],
    env: body.texts('Env'),
    workingDir: body.text('WorkingDir'),
    user: body.text('User'),
    tty: body.truth('Tty'),
    openStdin: body.truth('AttachStdin'),
    privileged: body.truth('Privileged'),
    size: rows > 0 && columns > 0 ? { rows, columns } : undefined,
    attachStdout: body.truth('AttachStdout'),
    attachStderr: body.truth('AttachStderr'),
    detachKeys,
  };
}

function execJson({ id, containerId, spec, state, pid, exitCode }: Exec): object {
  const [entrypoint = '', ...args] = spec?.args ?? [];
  const keys = spec?.detachKeys ? parseDetachKeys(spec.detachKeys).toString('base64') : '';
  return {
    ID: id,
    Running: state === ExecState.EXEC_STATE_RUNNING,
    ExitCode: exitCode ?? null,
    ProcessConfig: {
      tty: spec?.tty ?? false,
      entrypoint,
      arguments: args,
      privileged: spec?.privileged ?? false,
      ...(spec?.user && { user: spec.user }),
    },
    OpenStdin: spec?.openStdin ?? false,
    OpenStderr: spec?.attachStderr ?? false,
    OpenStdout: spec?.attachStdout ?? false,
    CanRemove: false,
    ContainerID: containerId,
    DetachKeys: keys,
    Pid: pid,
  };
}

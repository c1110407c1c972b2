import { isServiceError } from '../../../kit/errors.ts';
import type { ExecSpec } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { Container } from '../containers/container.ts';
import { startError } from '../containers/start-error.ts';
import { errors } from '../errors.ts';
import type { Paths } from '../paths.ts';
import type { EngineFacts } from '../spec/facts.ts';
import type { OciProcess } from '../spec/oci.ts';
import { readUserFiles } from '../spec/root-files.ts';
import { containerProcess, execProcess } from './process-spec.ts';

/** The container, if it can have a further process. CONTAINER_NOT_FOUND, NOT_RUNNING, CONTAINER_PAUSED. */
export function servingContainer(containers: ReadonlyMap<string, Container>, id: string): Container {
  const container = containers.get(id);
  if (container === undefined) throw errors.containerNotFound({ id });
  if (!container.isLiving) throw errors.notRunning({ id });
  if (container.record.state === 'paused') throw errors.containerPaused({ id });
  return container;
}

/** Of containers that had a further process: it is in their specs, which are long. */
const firstProcesses = new WeakMap<Container, { generation: number; process: OciProcess }>();

function firstProcessOf(paths: Paths, container: Container): OciProcess {
  const { id, generation } = container.record;
  const known = firstProcesses.get(container);
  if (known?.generation === generation) return known.process;
  const process = containerProcess(paths.bundleOf(id));
  firstProcesses.set(container, { generation, process });
  return process;
}

/** A further process as the runtime takes it. BAD_SPEC, UNKNOWN_USER. */
export function furtherProcess(
  parts: { paths: Paths; facts: EngineFacts },
  container: Container,
  spec: ExecSpec,
): OciProcess {
  const { record } = container;
  return execProcess(firstProcessOf(parts.paths, container), spec, {
    users: () => readUserFiles(`/proc/${record.init?.pid}/root`),
    additionalGroups: record.terms.additionalGroups,
    held: parts.facts.capabilities,
  });
}

/** Why a further process could not be started, told from the runtime's words. */
export function execFailure(error: unknown, container: Container, spec: ExecSpec): unknown {
  if (!container.isLiving) return errors.notRunning({ id: container.record.id }, { cause: error });
  if (!isServiceError(error, 'RUNTIME_FAILED')) return error;
  return startError('exec', error.metadata.detail ?? '', spec.args[0] ?? '', error);
}

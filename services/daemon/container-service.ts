import { idempotent } from '../../kit/outcomes.ts';
import type { Records } from '../../kit/records.ts';
import { currentCall } from '../../kit/rpc/call.ts';
import * as messages from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { Containers, Verb } from './containers/containers.ts';

/**
 * Every mutation is done once for a request id: its outcome is kept in the transaction that settles it. What a verb does to a
 * running container ends with the host's boot at the latest.
 *
 * None begins before `restored`: what a create has made and not recorded yet would be swept as left by a crash.
 */
export function containerService(
  containers: Containers,
  records: Records,
  restored: Promise<void>,
): messages.ContainerServiceImplementation {
  const once =
    <Request, Response>(
      requests: Encoded<Request>,
      responses: Coded<Response>,
      verb: Verb<Request, Response>,
      survives: 'power cut' | 'kill' = 'power cut',
    ) =>
    async (request: Request): Promise<Response> => {
      await restored;
      return idempotent<Response>(
        {
          records,
          call: currentCall(),
          request: requests.encode(request).finish(),
          encode: (response) => responses.encode(response).finish(),
          decode: (bytes) => responses.decode(bytes),
          survives,
        },
        async (commit) => verb(request, (outcome) => (save) => commit(outcome, save)),
      );
    };

  const create = once(messages.CreateContainerRequest, messages.CreateContainerResponse, containers.create);
  return {
    createContainer: (request) => containers.answering(request, () => create(request)),
    async reportAnswer(request) {
      containers.reportAnswer(request);
      return {};
    },
    startContainer: once(messages.StartContainerRequest, messages.StartContainerResponse, containers.start, 'kill'),
    stopContainer: once(messages.StopContainerRequest, messages.StopContainerResponse, containers.stop, 'kill'),
    restartContainer: once(
      messages.RestartContainerRequest,
      messages.RestartContainerResponse,
      containers.restart,
      'kill',
    ),
    killContainer: once(messages.KillContainerRequest, messages.KillContainerResponse, containers.kill, 'kill'),
    pauseContainer: once(messages.PauseContainerRequest, messages.PauseContainerResponse, containers.pause, 'kill'),
    unpauseContainer: once(
      messages.UnpauseContainerRequest,
      messages.UnpauseContainerResponse,
      containers.unpause,
      'kill',
    ),
    renameContainer: once(messages.RenameContainerRequest, messages.RenameContainerResponse, containers.rename),
    removeContainer: once(messages.RemoveContainerRequest, messages.RemoveContainerResponse, containers.remove),
    updateContainer: once(messages.UpdateContainerRequest, messages.UpdateContainerResponse, containers.update),
    pruneContainers: once(messages.PruneContainersRequest, messages.PruneContainersResponse, containers.prune),
    reportDetach: once(messages.ReportDetachRequest, messages.ReportDetachResponse, containers.reportDetach, 'kill'),
    waitContainer: (request, { signal }) => containers.wait(request, signal),
    getContainer: async (request) => ({ container: await containers.get(request) }),
    async *listContainers(request) {
      for await (const container of containers.list(request)) yield { container };
    },
    openStream: async (request) => containers.openStream(request),
    async *openFiles(request, { signal }) {
      await restored;
      yield* containers.openFiles(request, signal);
    },
  };
}

interface Encoded<T> {
  encode(message: T): { finish(): Uint8Array };
}

interface Coded<T> extends Encoded<T> {
  decode(bytes: Uint8Array): T;
}

import { idempotent } from '../../kit/outcomes.ts';
import type { Records } from '../../kit/records.ts';
import { currentCall } from '../../kit/rpc/call.ts';
import * as messages from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { Containers, Verb } from './containers/containers.ts';

/** Every mutation is done once for a request id: its outcome is kept in the transaction that settles it. */
export function containerService(containers: Containers, records: Records): messages.ContainerServiceImplementation {
  const once =
    <Request, Response>(requests: Encoded<Request>, responses: Coded<Response>, verb: Verb<Request, Response>) =>
    (request: Request): Promise<Response> =>
      idempotent<Response>(
        {
          records,
          call: currentCall(),
          request: requests.encode(request).finish(),
          encode: (response) => responses.encode(response).finish(),
          decode: (bytes) => responses.decode(bytes),
        },
        async (commit) => verb(request, (outcome) => (save) => commit(outcome, save)),
      );

  return {
    createContainer: once(messages.CreateContainerRequest, messages.CreateContainerResponse, containers.create),
    startContainer: once(messages.StartContainerRequest, messages.StartContainerResponse, containers.start),
    stopContainer: once(messages.StopContainerRequest, messages.StopContainerResponse, containers.stop),
    restartContainer: once(messages.RestartContainerRequest, messages.RestartContainerResponse, containers.restart),
    killContainer: once(messages.KillContainerRequest, messages.KillContainerResponse, containers.kill),
    pauseContainer: once(messages.PauseContainerRequest, messages.PauseContainerResponse, containers.pause),
    unpauseContainer: once(messages.UnpauseContainerRequest, messages.UnpauseContainerResponse, containers.unpause),
    renameContainer: once(messages.RenameContainerRequest, messages.RenameContainerResponse, containers.rename),
    removeContainer: once(messages.RemoveContainerRequest, messages.RemoveContainerResponse, containers.remove),
    updateContainer: once(messages.UpdateContainerRequest, messages.UpdateContainerResponse, containers.update),
    pruneContainers: once(messages.PruneContainersRequest, messages.PruneContainersResponse, containers.prune),
    waitContainer: (request, { signal }) => containers.wait(request, signal),
    getContainer: async (request) => ({ container: await containers.get(request) }),
    async *listContainers(request) {
      for await (const container of containers.list(request)) yield { container };
    },
    openStream: async (request) => containers.openStream(request),
    openFiles: (request, { signal }) => containers.openFiles(request, signal),
  };
}

interface Encoded<T> {
  encode(message: T): { finish(): Uint8Array };
}

interface Coded<T> extends Encoded<T> {
  decode(bytes: Uint8Array): T;
}

import { type Call, currentCall } from '../../../kit/rpc/call.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  CreateContainerRequest,
  type CreateContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';

/**
 * Creates under a name whose callers went away before the answer, as clients do that give up after a while: asked again,
 * by whoever asks for the same, they give the container that was made for nobody, and not "the name is in use".
 */
export interface Creations {
  run(
    request: CreateContainerRequest,
    create: () => Promise<CreateContainerResponse>,
  ): Promise<CreateContainerResponse>;
}

interface Creation {
  request: CreateContainerRequest;
  call: Call | undefined;
  outcome: Promise<CreateContainerResponse>;
  /** Once it is over. */
  made?: { id: string; atMs: number };
}

/** As long as an outcome can be asked for by its request id. */
const keptMs = 10 * 60_000;

/** `holderOf` gives the id of the container that has a name. */
export function openCreations(holderOf: (name: string) => string | undefined): Creations {
  const byName = new Map<string, Creation>();

  /** What the same request has begun or made for a caller who never got the answer. */
  function unanswered(request: CreateContainerRequest): Creation | undefined {
    const creation = byName.get(request.name);
    if (creation === undefined || creation.call?.signal.aborted !== true) return undefined;
    return isSame(creation.request, request) ? creation : undefined;
  }

  async function madeBefore(request: CreateContainerRequest): Promise<CreateContainerResponse | undefined> {
    const made = await unanswered(request)?.outcome.catch(() => undefined);
    const isThere = made !== undefined && holderOf(request.name) === made.id;
    return isThere ? { ...made, outcome: Outcome.OUTCOME_ALREADY } : undefined;
  }

  function forgetOld(): void {
    for (const [name, { made }] of byName) {
      if (made !== undefined && (holderOf(name) !== made.id || Date.now() - made.atMs > keptMs)) byName.delete(name);
    }
  }

  async function run(
    request: CreateContainerRequest,
    create: () => Promise<CreateContainerResponse>,
  ): Promise<CreateContainerResponse> {
    const { name } = request;
    // Where another's is under way or made, this one fails and leaves it be.
    const isNext = !byName.has(name) || unanswered(request) !== undefined;
    const outcome = madeBefore(request).then((made) => made ?? create());
    const creation: Creation = { request, call: currentCall(), outcome };
    if (isNext) byName.set(name, creation);
    try {
      const response = await outcome;
      creation.made = { id: response.id, atMs: Date.now() };
      return response;
    } finally {
      const isWanted = creation.made !== undefined && creation.call?.signal.aborted === true;
      if (byName.get(name) === creation && !isWanted) byName.delete(name);
    }
  }

  return {
    run(request, create) {
      if (request.name === '') return create();
      forgetOld();
      return run(request, create);
    },
  };
}

/** All but the id, which a client without request ids does not choose. */
function isSame(one: CreateContainerRequest, other: CreateContainerRequest): boolean {
  const bytes = (request: CreateContainerRequest) =>
    Buffer.from(CreateContainerRequest.encode({ ...request, id: '' }).finish());
  return bytes(one).equals(bytes(other));
}

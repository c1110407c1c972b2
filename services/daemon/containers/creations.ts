import { createHash } from 'node:crypto';
import { messageOf } from '../../../kit/errors.ts';
import type { Logger } from '../../../kit/log.ts';
import { type Call, currentCall } from '../../../kit/rpc/call.ts';
import {
  CreateContainerRequest,
  type CreateContainerResponse,
  type ReportAnswerRequest,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import type { ContainerRecord } from './record.ts';
import type { Repository } from './repository.ts';

/**
 * Creates under a name whose callers never got the answer, because they gave up after a while or because the engine died:
 * asked again, by whoever asks for the same, they give the container that was made for nobody, and not "the name is in use".
 *
 * A record is written as *unanswered*, and that is taken back when its creator has been told, or by any other write of the
 * record: who has a container changed knows it. Who passes the answer on says when its client has been told.
 */
export interface Creations {
  run(request: CreateContainerRequest, create: Create): Promise<CreateContainerResponse>;
  /** Goes around all of a create that comes before its answer: once `work` is over, that is given. */
  answering(
    request: CreateContainerRequest,
    work: () => Promise<CreateContainerResponse>,
  ): Promise<CreateContainerResponse>;
  /** What became of an answer that was passed on. */
  report(request: ReportAnswerRequest): void;
}

type Create = (before: Before) => Promise<CreateContainerResponse>;

/** What a create goes by besides its request. */
export interface Before {
  /** For the new record. */
  unanswered?: string | undefined;
  /** By the same request, for nobody. */
  made?: ContainerRecord | undefined;
}

/** One that is under way or whose answer is. */
interface Creation {
  likeness: string;
  call: Call | undefined;
  outcome: Promise<CreateContainerResponse>;
  /** Settles with the report, when the answer is being passed on. */
  reported?: Promise<void>;
}

/** As long as an outcome can be asked for by its request id. */
const keptMs = 10 * 60_000;
/** A report that has not come by then is lost, and the client with it as far as is known. */
const reportMs = 5_000;

export function openCreations(repository: Repository, log: Logger): Creations {
  const underWay = new Map<string, Creation>();
  /** By the request's id. */
  const awaited = new Map<string, (taken: boolean) => void>();

  function madeForNobody(name: string, likeness: string): ContainerRecord | undefined {
    const record = repository.byName(name);
    if (record?.unanswered !== likeness) return undefined;
    return Date.now() - Number(record.createdAtNs / 1_000_000n) > keptMs ? undefined : record;
  }

  /** In memory at once, and on disk without a sync: a power cut may bring the mark back, as a death before this leaves it. */
  function told(id: string): void {
    const record = repository.get(id);
    if (record?.unanswered === undefined) return;
    try {
      repository.apply({ put: [record] });
    } catch (error) {
      log.warn({ container: id, problem: messageOf(error) }, 'not recorded that the creator of a container was told');
    }
  }

  /** Whoever asks for the same meanwhile waits for the report. */
  function awaitReport(request: CreateContainerRequest, response: CreateContainerResponse): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const name = plain(request.name);
    const creation = {
      likeness: likenessOf(request),
      call: currentCall(),
      outcome: Promise.resolve(response),
      reported: promise,
    };
    const settle = (taken: boolean) => {
      clearTimeout(timer);
      awaited.delete(request.id);
      if (underWay.get(name) === creation) underWay.delete(name);
      if (taken) told(response.id);
      resolve();
    };
    const timer = setTimeout(settle, reportMs, false);
    timer.unref();
    awaited.set(request.id, settle);
    underWay.set(name, creation);
  }

  return {
    run(request, create) {
      const name = plain(request.name);
      if (name === '') return create({});
      const likeness = likenessOf(request);
      const before = underWay.get(name);
      const isOver = before !== undefined && (before.reported !== undefined || hasLeft(before.call));
      const isAskedAgain = isOver && before.likeness === likeness;
      // Where another's is under way, this one fails and leaves it be.
      if (before !== undefined && !isAskedAgain) return create({ unanswered: likeness });
      const now = () => create({ unanswered: likeness, made: madeForNobody(name, likeness) });
      const outcome = before === undefined ? now() : (before.reported ?? before.outcome).then(now, now);
      underWay.set(name, { likeness, call: currentCall(), outcome });
      return outcome;
    },

    async answering(request, work) {
      const name = plain(request.name);
      const call = currentCall();
      const forget = () => {
        if (underWay.get(name)?.call === call) underWay.delete(name);
      };
      try {
        const response = await work();
        if (request.reportsAnswer === true && name !== '' && !hasLeft(call)) {
          awaitReport(request, response);
          return response;
        }
        // Behind the answer, which leaves in this turn of the event loop: taken back before it, the mark would be missing
        // after a death in between, and the name in use. So a death right after the answer leaves it, and the same create,
        // were it asked for next, is given this container where Docker has a conflict. That window is this one turn.
        setImmediate(() => {
          forget();
          if (!hasLeft(call)) told(response.id);
        });
        return response;
      } catch (error) {
        forget();
        throw error;
      }
    },

    report({ id, taken }) {
      const settle = awaited.get(id);
      if (settle !== undefined) settle(taken);
      // The engine that gave the answer has died since.
      else if (taken) told(id);
    },
  };
}

function hasLeft(call: Call | undefined): boolean {
  return call?.signal.aborted === true;
}

function plain(name: string): string {
  return name.replace(/^\//, '');
}

/** The same for requests that differ in the id alone, which a client without request ids does not choose, or in who asks. */
function likenessOf(request: CreateContainerRequest): string {
  const bytes = CreateContainerRequest.encode({ ...request, id: '', reportsAnswer: undefined }).finish();
  return createHash('sha256').update(bytes).digest('hex');
}

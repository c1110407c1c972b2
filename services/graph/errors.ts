import { defineErrors } from '../../kit/errors.ts';

/** How a container stands in the way of a removal. */
type Hindrance = 'reference' | 'running' | 'stopped';

/** Everything that the image store refuses, in Docker's words where Docker has some. */
export const errors = defineErrors('graph', {
  notInitialised: {
    code: 'FAILED_PRECONDITION',
    message: () => 'the image store is not open yet: the engine has not initialised it',
  },
  tagStoreBroken: {
    code: 'FAILED_PRECONDITION',
    message: (m: { problem: string }) =>
      `Couldn't create Tag store: ${m.problem}; remove the tag from graph/images.db or restore that file from a backup`,
  },
  imageNotFound: { code: 'NOT_FOUND', message: (m: { reference: string }) => `No such image: ${m.reference}` },
  badReference: { code: 'INVALID_ARGUMENT', message: (m: { reference: string; problem: string }) => m.problem },
  ambiguousId: {
    code: 'INVALID_ARGUMENT',
    message: (m: { prefix: string }) => `several images have an id that begins with ${m.prefix}: give more of it`,
  },
  badArchive: {
    code: 'INVALID_ARGUMENT',
    message: (m: { part: string; problem: string }) => `${m.part}: ${m.problem}`,
  },
  badChange: { code: 'INVALID_ARGUMENT', message: (m: { change: string; problem: string }) => m.problem },
  badRequest: {
    code: 'INVALID_ARGUMENT',
    message: (m: { field: string; problem: string }) => `${m.field}: ${m.problem}`,
  },
  platformUnsupported: {
    code: 'INVALID_ARGUMENT',
    message: (m: { os: string }) => `cannot load ${m.os} image on linux`,
  },
  imageHasTags: {
    code: 'FAILED_PRECONDITION',
    message: (m: { image: string }) =>
      `conflict: unable to delete ${m.image} (must be forced) - image is referenced in multiple repositories`,
  },
  imageInUse: { code: 'FAILED_PRECONDITION', message: inUse },
  noSpace: {
    code: 'RESOURCE_EXHAUSTED',
    message: (m: { path: string }) => `no space left on the disk of ${m.path}: free some, then repeat the command`,
  },
  contentMissing: {
    code: 'DATA_LOSS',
    message: (m: { digest: string }) => `content ${m.digest} is gone from the store: load the image again`,
  },
});

function inUse(m: { how: Hindrance; image: string; container: string; reference: string }): string {
  switch (m.how) {
    case 'reference':
      return `conflict: unable to remove repository reference "${m.reference}" (must force) - container ${m.container} is using its referenced image ${m.image}`;
    case 'running':
      return `conflict: unable to delete ${m.image} (cannot be forced) - image is being used by running container ${m.container}`;
    case 'stopped':
      return `conflict: unable to delete ${m.image} (must be forced) - image is being used by stopped container ${m.container}`;
  }
}

/** A part of an archive that is wrong. Names in archives are as long as their makers like; what is wrong is to be read all the same. */
export function badArchive(part: string, problem: string, cause?: unknown): Error {
  return errors.badArchive({ part: clipped(part), problem: clipped(problem) }, { cause });
}

export function badReference(reference: string, problem: string): Error {
  return errors.badReference({ reference: clipped(reference), problem: clipped(problem) });
}

export function imageNotFound(reference: string): Error {
  return errors.imageNotFound({ reference: clipped(reference) });
}

const longest = 400;

function clipped(text: string): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}

import { type CodeName, isServiceError, messageOf } from '../../kit/errors.ts';

/** What the gateway answers by itself, before or instead of calling an owner. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** What a client sent is not well-formed; the message names the field. */
export class BadRequest extends Refusal {
  constructor(message: string, options?: ErrorOptions) {
    super(400, message, options);
  }
}

/** A part of Docker's API that no owner serves. */
export const notServed = (what: string) => new Refusal(501, `this engine does not support ${what} yet`);

export const notFound = (message: string) => new Refusal(404, message);

/** The status that Docker's clients branch on, by the gRPC code; `reasons` below has the exceptions. */
const codes: Partial<Record<CodeName, number>> = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  FAILED_PRECONDITION: 409,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

const reasons: Readonly<Record<string, number>> = {
  // Docker answers these from `start`; its CLI makes exit codes 127, 126 and 125 of the texts.
  COMMAND_NOT_FOUND: 400,
  COMMAND_NOT_EXECUTABLE: 400,
  UNKNOWN_USER: 400,
  DEVICE_DRIVER_MISSING: 400,
  BAD_PS_OPTIONS: 400,
  RUNTIME_FAILED: 500,
  PORT_TAKEN: 500,
  NETWORK_DISABLED: 500,
  LOGS_UNREADABLE: 501,
  FILE_ACCESS_FAILED: 500,
  // Insufficient Storage (RFC 4918 §11.5).
  NO_SPACE: 507,
  // An owner that is up but not told its policy yet.
  NOT_INITIALISED: 503,
};

/** What goes wrong in `work`, told with Docker's words before it where `isMeant` says so; the status stays. */
export async function prefixed<T>(prefix: string, work: Promise<T>, isMeant = (_: unknown) => true): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isMeant(error)) throw error;
    throw new Refusal(statusOf(error), `${prefix}: ${messageOf(error)}`, { cause: error });
  }
}

export function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status;
  if (!isServiceError(error)) return 500;
  return reasons[error.reason] ?? codes[error.code] ?? 500;
}

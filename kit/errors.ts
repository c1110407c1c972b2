/** The textual names of gRPC's status codes. */
export const codeNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export type CodeName = (typeof codeNames)[number];

type MetadataValue = string | number | boolean | undefined;

/**
 * A failure that callers can act on: a person by its message, a program by its reason.
 * It crosses the wire whole (kit/rpc/status.ts), so a peer's error reads like one of our own.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  /** Who made it. */
  readonly service: string;
  /** What went wrong, for programs: `LAYER_NOT_FOUND`. */
  readonly reason: string;
  readonly code: CodeName;
  /** What the message was made of. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(
    parts: {
      service: string;
      reason: string;
      code: CodeName;
      message: string;
      metadata?: Record<string, string>;
    },
    options: { cause?: unknown } = {},
  ) {
    super(parts.message, options);
    this.service = parts.service;
    this.reason = parts.reason;
    this.code = parts.code;
    this.metadata = parts.metadata ?? {};
  }
}

export function isServiceError(error: unknown, reason?: string): error is ServiceError {
  return error instanceof ServiceError && (reason === undefined || error.reason === reason);
}

interface Row {
  code: CodeName;
  message: (metadata: never) => string;
}

type MakeError<R extends Row> =
  Parameters<R['message']> extends []
    ? (metadata?: Readonly<Record<string, never>>, options?: { cause?: unknown }) => ServiceError
    : (metadata: Parameters<R['message']>[0], options?: { cause?: unknown }) => ServiceError;

/**
 * One service's errors: reason → code → message. `layerNotFound` makes the reason `LAYER_NOT_FOUND`.
 *
 *     const errors = defineErrors('graphdriver', {
 *       layerNotFound: { code: 'NOT_FOUND', message: (m: { layer: string }) => `no such layer: ${m.layer}` },
 *     });
 *     throw errors.layerNotFound({ layer });
 */
export function defineErrors<const T extends Record<string, Row>>(
  service: string,
  table: T,
): { readonly [K in keyof T]: MakeError<T[K]> } {
  const makers = Object.entries(table).map(([name, row]) => {
    const reason = name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    const message = row.message as (metadata: Record<string, MetadataValue>) => string;
    const make = (metadata: Record<string, MetadataValue> = {}, options: { cause?: unknown } = {}) =>
      new ServiceError(
        {
          service,
          reason,
          code: row.code,
          message: message(metadata),
          metadata: textOnly(metadata),
        },
        options,
      );
    return [name, make];
  });
  return Object.fromEntries(makers) as {
    readonly [K in keyof T]: MakeError<T[K]>;
  };
}

function textOnly(metadata: Record<string, MetadataValue>): Record<string, string> {
  const text: Record<string, string> = {};
  for (const [key, value] of Object.entries(metadata)) {
    if (value !== undefined) text[key] = String(value);
  }
  return text;
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Every error that a user of Larder can meet: one class, stable codes. The number is the code's number in
 * larder/v1/cache.proto; each code has a heading in docs/errors.md.
 */

interface CodeFacts {
  readonly number: number;
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean;
  /** The gRPC status that unary calls end with; numbers are those of grpc's `status` enumeration. */
  readonly grpcStatus: number;
}

const GRPC = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  internal: 13,
  unavailable: 14,
} as const;

const CODES = {
  BAD_ARGUMENT: { number: 1, retryable: false, grpcStatus: GRPC.invalidArgument },
  UNKNOWN_CACHE: { number: 2, retryable: false, grpcStatus: GRPC.notFound },
  TOO_LARGE: { number: 3, retryable: false, grpcStatus: GRPC.invalidArgument },
  NOT_OWNER: { number: 4, retryable: true, grpcStatus: GRPC.failedPrecondition },
  TIMEOUT: { number: 5, retryable: true, grpcStatus: GRPC.deadlineExceeded },
  BUSY: { number: 6, retryable: true, grpcStatus: GRPC.resourceExhausted },
  OUT_OF_MEMORY: { number: 7, retryable: true, grpcStatus: GRPC.resourceExhausted },
  ORIGIN: { number: 8, retryable: false, grpcStatus: GRPC.aborted },
  ORIGIN_UNAVAILABLE: { number: 9, retryable: true, grpcStatus: GRPC.unavailable },
  READ_ONLY: { number: 10, retryable: false, grpcStatus: GRPC.failedPrecondition },
  UNAVAILABLE: { number: 11, retryable: true, grpcStatus: GRPC.unavailable },
  INCOMPATIBLE: { number: 12, retryable: false, grpcStatus: GRPC.failedPrecondition },
  INTERNAL: { number: 13, retryable: false, grpcStatus: GRPC.internal },
  ABORTED: { number: 14, retryable: false, grpcStatus: GRPC.cancelled },
  CLOSED: { number: 15, retryable: false, grpcStatus: GRPC.failedPrecondition },
  CODEC: { number: 16, retryable: false, grpcStatus: GRPC.invalidArgument },
  LOADER: { number: 17, retryable: false, grpcStatus: GRPC.aborted },
  BATCH: { number: 18, retryable: false, grpcStatus: GRPC.aborted },
  CONFIG: { number: 19, retryable: false, grpcStatus: GRPC.invalidArgument },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof CODES;

/** What became of a write whose call failed. Reads have none. */
export type Outcome = 'not-applied' | 'unknown';

export interface LarderErrorOptions {
  readonly outcome?: Outcome | undefined;
  /** The id of the node that answered, or that could not be reached. */
  readonly node?: string | undefined;
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** The only error class: switch on `code`. */
export class LarderError extends Error {
  override readonly name = 'LarderError';
  readonly code: ErrorCode;
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean;
  /** Writes only: `not-applied` is a promise, `unknown` means that it may have been applied. */
  readonly outcome: Outcome | undefined;
  readonly node: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: LarderErrorOptions = {}) {
    super(`${code}: ${message}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = CODES[code].retryable;
    this.outcome = options.outcome;
    this.node = options.node;
    this.details = options.details;
  }

  /** The message without its code. */
  get reason(): string {
    return this.message.slice(this.code.length + 2);
  }
}

const NAMES_BY_NUMBER = new Map<number, ErrorCode>(
  (Object.keys(CODES) as ErrorCode[]).map((code) => [CODES[code].number, code]),
);

export const ERROR_CODES: readonly ErrorCode[] = [...NAMES_BY_NUMBER.values()];

export function errorCodeNumber(code: ErrorCode): number {
  return CODES[code].number;
}

/** A number that this version does not know becomes INTERNAL: a newer peer must not crash an older one. */
export function errorCodeFromNumber(number: number): ErrorCode {
  return NAMES_BY_NUMBER.get(number) ?? 'INTERNAL';
}

/** A name that this version does not know becomes INTERNAL. */
export function errorCodeFromName(name: string): ErrorCode {
  return Object.hasOwn(CODES, name) ? (name as ErrorCode) : 'INTERNAL';
}

export function grpcStatusOf(code: ErrorCode): number {
  return CODES[code].grpcStatus;
}

/** Turns anything thrown into a LarderError; what is not one already becomes INTERNAL with the original as cause. */
export function toLarderError(thrown: unknown, options: LarderErrorOptions = {}): LarderError {
  if (thrown instanceof LarderError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new LarderError('INTERNAL', message, { ...options, cause: thrown });
}

import { type ErrorCode, LarderError } from '@larder/proto';

/**
 * With what a node process ends; numbers are those of sysexits.h where it has a fitting one. docs/running.md lists them
 * for operators: changing one breaks their scripts.
 */
export const ExitCode = {
  /** Stopped by a signal, everything in flight finished, no write left behind. */
  ok: 0,
  /** Stopped at once by a second signal, or with writes that could not reach the origin in time. */
  forced: 1,
  /** EX_USAGE: a flag is missing, unknown or wrong. */
  usage: 64,
  /** EX_DATAERR: what a command names is not there. */
  nothingThere: 65,
  /** EX_NOINPUT: the config file is not there or cannot be read. */
  noConfigFile: 66,
  /** EX_UNAVAILABLE: the database cannot be reached. */
  databaseUnavailable: 69,
  /** EX_SOFTWARE: a bug. */
  internal: 70,
  /** The address to listen on is taken or does not belong to this machine. */
  addressUnavailable: 76,
  /** EX_CONFIG: the config file says something wrong. */
  config: 78,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A reason not to start: one line for the operator, and the code with which the process ends. */
export function startFault(exitCode: ExitCode, code: ErrorCode, message: string, cause?: unknown): LarderError {
  return new LarderError(code, message, { cause, details: { exitCode } });
}

/** Anything thrown that does not say otherwise is a bug. */
export function exitCodeOf(thrown: unknown): number {
  const exitCode = thrown instanceof LarderError ? thrown.details?.exitCode : undefined;
  return typeof exitCode === 'number' ? exitCode : ExitCode.internal;
}

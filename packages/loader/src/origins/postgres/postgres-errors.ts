import { LarderError, type Outcome } from '@larder/proto';
import pg from 'pg';

export type StatementKind = 'read' | 'write';

/** There is no connection, for whatever reason, so nothing was sent. */
export function connectError(thrown: unknown, kind: StatementKind, database: string): LarderError {
  const failure = toError(thrown);
  return unavailable(unreachable(database, failure), kind === 'read' ? undefined : 'not-applied', failure);
}

/**
 * What PostgreSQL or the way to it answered to a statement, as the error that callers get. The first two characters of
 * an SQLSTATE are its class: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function postgresError(thrown: unknown, kind: StatementKind, database: string): LarderError {
  const failure = toError(thrown);
  const unknown = kind === 'read' ? undefined : 'unknown';
  const rolledBack = kind === 'read' ? undefined : 'not-applied';
  if (!(failure instanceof pg.DatabaseError) || failure.code === undefined) {
    return unavailable(unreachable(database, failure), unknown, failure);
  }
  const { code, constraint, column } = failure;
  const message = shortened(withoutValues(failure.message, code));
  const details = { sqlState: code, constraint, column };
  if (OUTCOME_UNKNOWN.test(code)) return unavailable(`${database}: ${message}`, unknown, failure, details);
  if (UNAVAILABLE.test(code)) return unavailable(`${database}: ${message}`, rolledBack, failure, details);
  return new LarderError('ORIGIN', `${database} refused: ${message} (SQLSTATE ${code})`, {
    outcome: rolledBack,
    cause: failure,
    details: { ...details, blames: ROW_TO_BLAME.test(code) ? 'row' : 'statement' },
  });
}

/** The connection cannot be used any further: it is lost, or its prepared statements no longer fit the tables. */
export function breaksConnection(thrown: unknown): boolean {
  if (!(thrown instanceof pg.DatabaseError) || thrown.code === undefined) return true;
  return OUTCOME_UNKNOWN.test(thrown.code) || /^(0A000|26000|25006)$/.test(thrown.code);
}

/** Connection exceptions and a server that shuts down, perhaps while a commit was waiting for a standby. */
const OUTCOME_UNKNOWN = /^(08|57P|40003)/;
/** No resources, cancelled by a timeout, deadlock, lock not available, a standby, a plan that no longer fits. */
const UNAVAILABLE = /^(53|57|40|55P|58|25006|0A000|26000)/;
/** Data, cardinality, constraints, view checks, trigger code, limits such as an index row's size. */
const ROW_TO_BLAME = /^(21|22|23|44|P0|54)/;

/** Errors end up in logs, where values have no business. What PostgreSQL quotes of data exceptions are values, of others names. */
function withoutValues(message: string, code: string): string {
  return code.startsWith('22') ? message.replace(/".*"/s, '"..."') : message;
}

/** What a trigger raises may be of any length. */
const MESSAGE_LENGTH_MAX = 1_000;

function shortened(message: string): string {
  return message.length > MESSAGE_LENGTH_MAX ? `${message.slice(0, MESSAGE_LENGTH_MAX)}...` : message;
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function unreachable(database: string, failure: Error): string {
  return `${database} cannot be reached: ${failure.message || failure.name}`;
}

function unavailable(message: string, outcome: Outcome | undefined, cause: Error, details?: object): LarderError {
  return new LarderError('ORIGIN_UNAVAILABLE', message, { outcome, cause, details: { ...details } });
}

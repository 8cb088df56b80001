import { LarderError, type Outcome } from '@larder/proto';
import pg from 'pg';

/** How far a statement had come when it failed. */
export type StatementPhase = 'read' | 'write' | 'write-unsent';

/**
 * What PostgreSQL or the way to it answered, as the error that callers get. The first two characters of an SQLSTATE are
 * its class: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function postgresError(thrown: unknown, phase: StatementPhase, database: string): LarderError {
  if (thrown instanceof LarderError) return thrown;
  const failure = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (!(failure instanceof pg.DatabaseError) || failure.code === undefined) {
    return unavailable(
      `${database} cannot be reached: ${failure.message || failure.name}`,
      outcome(phase, false),
      failure,
    );
  }
  const { code, message, constraint, column } = failure;
  const details = { sqlState: code, constraint, column };
  if (OUTCOME_UNKNOWN.test(code))
    return unavailable(`${database}: ${message}`, outcome(phase, false), failure, details);
  if (UNAVAILABLE.test(code)) return unavailable(`${database}: ${message}`, outcome(phase, true), failure, details);
  const blames = ROW_TO_BLAME.test(code) ? 'row' : 'statement';
  return new LarderError('ORIGIN', `${database} refused: ${message} (SQLSTATE ${code})`, {
    outcome: outcome(phase, true),
    cause: failure,
    details: { ...details, blames },
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

function outcome(phase: StatementPhase, rolledBack: boolean): Outcome | undefined {
  if (phase === 'read') return undefined;
  return rolledBack || phase === 'write-unsent' ? 'not-applied' : 'unknown';
}

function unavailable(message: string, outcome: Outcome | undefined, cause: Error, details?: object): LarderError {
  return new LarderError('ORIGIN_UNAVAILABLE', message, { outcome, cause, details: { ...details } });
}

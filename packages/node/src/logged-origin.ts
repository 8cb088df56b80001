import type { Clock } from '@larder/base';
import { ForwardingOrigin, type Origin, type OriginRow } from '@larder/loader';
import { type LarderError, toLarderError } from '@larder/proto';
import type { Log } from './log.js';

/** One line per cache in this time, or a database that is down would fill the log. */
const PERIOD_MS = 1_000;

/**
 * A cache's origin whose failures are in the node's log: a caller of write-behind has gone when its row is refused, and
 * nobody else would ever hear why. What PostgreSQL says of a refused row may quote its values, so only the error's
 * SQLSTATE, constraint and column are logged.
 */
export class LoggedOrigin extends ForwardingOrigin {
  #loggedMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(
    origin: Origin,
    readonly cache: string,
    readonly clock: Clock,
    readonly log: Log,
  ) {
    super(origin);
  }

  override loadMany(keys: readonly string[], signal: AbortSignal): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#logged('load', this.origin.loadMany(keys, signal));
  }

  override writeMany(rows: readonly OriginRow[]): Promise<void> {
    return this.#logged('write', this.origin.writeMany(rows));
  }

  override deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return this.#logged('delete', this.origin.deleteMany(keys));
  }

  async #logged<T>(operation: string, call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (thrown) {
      this.#tell(operation, toLarderError(thrown));
      throw thrown;
    }
  }

  #tell(operation: string, error: LarderError): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#loggedMs < PERIOD_MS) {
      this.#unlogged++;
      return;
    }
    const { code, details = {} } = error;
    const { sqlState, constraint, column } = details;
    const reason = code === 'ORIGIN_UNAVAILABLE' ? error.reason : undefined;
    const more = { sqlState, constraint, column, reason, unlogged: this.#unlogged };
    this.log.warn({ event: 'origin-failed', cache: this.cache, operation, code, ...more });
    this.#loggedMs = nowMs;
    this.#unlogged = 0;
  }
}

import { type Clock, deferred } from '@larder/base';
import { type ErrorCode, LarderError, type Outcome } from '@larder/proto';
import type { Origin, OriginFence, OriginRow } from '../origin.js';

/**
 * An origin that somebody else has written, held to the laws that can be seen from outside, so that its bugs are errors
 * with a name and cannot harm the loader:
 *
 * - a call that has not ended by `callMsMax` is given up (ORIGIN_UNAVAILABLE; a write's outcome is unknown);
 * - answers that do not fit the keys are ORIGIN_UNAVAILABLE;
 * - whatever is thrown becomes a LarderError; one of another copy of this class keeps its code. A foreign error is
 *   ORIGIN_UNAVAILABLE, a write's outcome unknown;
 * - writes to one that cannot write are READ_ONLY.
 */
export class CheckedOrigin implements Origin {
  readonly #origin: Partial<Origin> & Pick<Origin, 'loadMany' | 'callMsMax'>;
  readonly #clock: Clock;
  #closed = false;

  constructor(origin: Partial<Origin> & Pick<Origin, 'loadMany' | 'callMsMax'>, clock: Clock) {
    this.#origin = origin;
    this.#clock = clock;
  }

  get callMsMax(): number {
    return this.#origin.callMsMax;
  }

  get isReadOnly(): boolean {
    return this.#origin.writeMany === undefined && this.#origin.deleteMany === undefined;
  }

  get fence(): OriginFence | undefined {
    return this.#origin.fence;
  }

  async loadMany(keys: readonly string[], signal: AbortSignal): Promise<readonly (Uint8Array | undefined)[]> {
    const values = await this.#call(undefined, 'loadMany', () => this.#origin.loadMany(keys, signal));
    const fits = Array.isArray(values) && values.length === keys.length;
    if (fits && values.every((value) => value === undefined || value instanceof Uint8Array)) return values;
    throw wrongAnswer('loadMany', `an array of ${keys.length} items, each a Uint8Array or undefined`, undefined);
  }

  async writeMany(rows: readonly OriginRow[]): Promise<void> {
    const { writeMany } = this.#origin;
    if (writeMany === undefined) throw readOnly();
    await this.#call('unknown', 'writeMany', () => writeMany.call(this.#origin, rows));
  }

  async deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    const { deleteMany } = this.#origin;
    if (deleteMany === undefined) throw readOnly();
    const found = await this.#call('unknown', 'deleteMany', () => deleteMany.call(this.#origin, keys));
    const fits = Array.isArray(found) && found.length === keys.length;
    if (fits && found.every((each) => typeof each === 'boolean')) return found;
    throw wrongAnswer('deleteMany', `an array of ${keys.length} booleans`, 'unknown');
  }

  check(key: string, value: Uint8Array): LarderError | undefined {
    if (this.#origin.writeMany === undefined) return readOnly();
    try {
      const fault = this.#origin.check?.(key, value);
      return fault === undefined ? undefined : toError(fault, 'not-applied');
    } catch (error) {
      return toError(error, 'not-applied');
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#origin.close?.();
  }

  async #call<T>(outcome: Outcome | undefined, method: string, call: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      throw new LarderError('ORIGIN_UNAVAILABLE', 'the origin is closed', { outcome: outcome && 'not-applied' });
    }
    const late = deferred<never>();
    const { callMsMax } = this;
    const timer = this.#clock.after(callMsMax, () => {
      const message = `${method} of the origin's module has not ended within its callMsMax, ${callMsMax} ms`;
      late.reject(new LarderError('ORIGIN_UNAVAILABLE', message, { outcome }));
    });
    try {
      return await Promise.race([call(), late.promise]);
    } catch (error) {
      throw toError(error, outcome);
    } finally {
      timer.cancel();
    }
  }
}

/** What an origin may say itself. */
const CODES: readonly unknown[] = ['ORIGIN', 'ORIGIN_UNAVAILABLE', 'BAD_ARGUMENT', 'TOO_LARGE', 'READ_ONLY'];

function toError(thrown: unknown, outcome: Outcome | undefined): LarderError {
  if (thrown instanceof LarderError && CODES.includes(thrown.code)) return thrown;
  const { code, message, outcome: said, details } = (thrown ?? {}) as Partial<LarderError>;
  const reason = typeof message === 'string' ? message : String(thrown);
  if (!CODES.includes(code)) {
    return new LarderError('ORIGIN_UNAVAILABLE', `the origin's module failed: ${reason}`, { outcome, cause: thrown });
  }
  const known = code as ErrorCode;
  const stripped = reason.startsWith(`${known}: `) ? reason.slice(known.length + 2) : reason;
  const told = said === 'not-applied' || said === 'unknown' ? said : outcome;
  return new LarderError(known, stripped, { outcome: told, details, cause: thrown });
}

function wrongAnswer(method: string, allowed: string, outcome: Outcome | undefined): LarderError {
  const message = `${method} of the origin's module did not answer with ${allowed}`;
  return new LarderError('ORIGIN_UNAVAILABLE', message, { outcome });
}

function readOnly(): LarderError {
  return new LarderError('READ_ONLY', "the origin's module cannot write", { outcome: 'not-applied' });
}

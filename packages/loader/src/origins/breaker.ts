import { assert, type Clock, type Timer } from '@larder/base';
import { LarderError, type Outcome } from '@larder/proto';
import type { ResolvedBreakerOptions } from './breaker-options.js';
import { toOriginError } from './origin.js';

/**
 * Keeps callers from waiting for a database that is away, and a database that has just come back from all of them at
 * once. One for each database, shared by its caches.
 *
 *   closed  calls go through and are counted. It opens after `failures` in a row, or when `share` of the last `calls` or
 *           more within `windowMs` have failed.
 *   open    calls fail at once. Every `probeMs` the database is probed, and the first probe that passes closes it.
 *
 * Only what says that the database cannot serve counts: a refused row, a deadlock or a fenced write is an answer.
 */
export type BreakerState = 'closed' | 'open';

export interface BreakerParts {
  readonly options: ResolvedBreakerOptions;
  /** Of the database, for messages. */
  readonly label: string;
  readonly clock: Clock;
  /** Resolves if the database can serve. */
  probe(): Promise<unknown>;
}

/** The window moves in steps of a tenth. */
const SLICES = 10;

export class Breaker {
  state: BreakerState = 'closed';
  /** Hears of each change of state; for the log. */
  changed: (state: BreakerState, error: LarderError | undefined) => void = () => {};
  #failuresInRow = 0;
  readonly #calls = new Array<number>(SLICES).fill(0);
  readonly #failures = new Array<number>(SLICES).fill(0);
  #slice = 0;
  #lastError: LarderError | undefined;
  #probing: Timer | undefined;
  #isClosed = false;

  constructor(readonly parts: BreakerParts) {}

  /** What the call gives; ORIGIN_UNAVAILABLE at once while it is open, then with this outcome. The call begins within this one. */
  run<T>(outcome: Outcome | undefined, call: () => Promise<T>): Promise<T> {
    if (this.state === 'open') return Promise.reject(this.#refusal(outcome));
    return this.#observed(call());
  }

  /** Ends its timer. */
  close(): void {
    this.#isClosed = true;
    this.#probing?.cancel();
  }

  async #observed<T>(call: Promise<T>): Promise<T> {
    try {
      const result = await call;
      this.#count(undefined);
      return result;
    } catch (thrown) {
      const error = toOriginError(thrown, undefined);
      this.#count(isOutage(error) ? error : undefined);
      throw thrown;
    }
  }

  #count(outage: LarderError | undefined): void {
    // A call that began before it opened says nothing new.
    if (this.state === 'open') return;
    this.#turn();
    const at = this.#slice % SLICES;
    this.#calls[at]!++;
    this.#failuresInRow = outage === undefined ? 0 : this.#failuresInRow + 1;
    if (outage === undefined) return;
    this.#failures[at]!++;
    this.#lastError = outage;
    if (this.#isTooMuch()) this.#open();
  }

  /** Forgets what has left the window. */
  #turn(): void {
    const { clock, options } = this.parts;
    const now = Math.floor(clock.monotonicMs() / (options.windowMs / SLICES));
    for (let slice = Math.max(this.#slice + 1, now - SLICES + 1); slice <= now; slice++) {
      this.#calls[slice % SLICES] = 0;
      this.#failures[slice % SLICES] = 0;
    }
    this.#slice = Math.max(this.#slice, now);
  }

  #isTooMuch(): boolean {
    const { failures, share, calls } = this.parts.options;
    const counted = sum(this.#calls);
    return this.#failuresInRow >= failures || (counted >= calls && sum(this.#failures) >= share * counted);
  }

  #open(): void {
    assert(this.state === 'closed', 'it is open already');
    this.state = 'open';
    this.changed('open', this.#lastError);
    this.#probeLater();
  }

  #probeLater(): void {
    const { clock, options } = this.parts;
    if (!this.#isClosed) this.#probing = clock.after(options.probeMs, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    try {
      await this.parts.probe();
    } catch (thrown) {
      this.#lastError = toOriginError(thrown, undefined);
      this.#probeLater();
      return;
    }
    this.#failuresInRow = 0;
    this.#calls.fill(0);
    this.#failures.fill(0);
    this.state = 'closed';
    this.changed('closed', undefined);
  }

  #refusal(outcome: Outcome | undefined): LarderError {
    const { label } = this.parts;
    const reason = this.#lastError?.reason ?? 'it has failed';
    const message = `${label} is not asked until it answers again: ${reason}`;
    return new LarderError('ORIGIN_UNAVAILABLE', message, {
      outcome,
      cause: this.#lastError,
      details: { breaker: 'open' },
    });
  }
}

/** SQLSTATE classes of a server that is there and could not do this statement now: conflicts, locks, a plan that is out of date. */
const CONTENTION = /^(40|55P|0A000|26000|25006)/;

function isOutage({ code, details }: LarderError): boolean {
  if (code !== 'ORIGIN_UNAVAILABLE' || details?.fenced === true) return false;
  const { sqlState } = details ?? {};
  return typeof sqlState !== 'string' || !CONTENTION.test(sqlState);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

import type { Breaker } from './breaker.js';
import { ForwardingOrigin } from './forwarding-origin.js';
import type { Origin, OriginRow } from './origin.js';

/** An origin whose calls fail at once while the breaker of its database is open. Its fence is not guarded: a takeover has to try. */
export class GuardedOrigin extends ForwardingOrigin {
  readonly #breaker: Breaker;

  constructor(origin: Origin, breaker: Breaker) {
    super(origin);
    this.#breaker = breaker;
  }

  override get breaker(): Breaker {
    return this.#breaker;
  }

  override loadMany(keys: readonly string[], signal: AbortSignal): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#breaker.run(undefined, () => this.origin.loadMany(keys, signal));
  }

  override writeMany(rows: readonly OriginRow[]): Promise<void> {
    return this.#breaker.run('not-applied', () => this.origin.writeMany(rows));
  }

  override deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return this.#breaker.run('not-applied', () => this.origin.deleteMany(keys));
  }
}

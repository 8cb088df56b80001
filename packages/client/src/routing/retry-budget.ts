import type { Clock } from '@larder/base';

/**
 * How many calls may be sent again because a node had too much to do, or because a second connection broke under them: in
 * the long run a tenth of all calls, so that retries cannot keep an overloaded cluster overloaded. Redirects, nodes that
 * are about to stop, and the first connection that breaks under a call are not counted: those say where a call
 * belongs, and not that there are too many.
 *
 * `tokensMax` of them are saved up: while partitions change hands all calls under way may be turned away.
 */

const TOKENS_PER_CALL = 0.1;
/** For clients that call rarely. A guess. */
const TOKENS_PER_SECOND = 100;

export class RetryBudget {
  /** Counted up by whoever makes calls. */
  calls = 0;
  #tokens: number;
  #callsCredited = 0;
  #creditedMs: number;

  constructor(
    readonly clock: Clock,
    readonly tokensMax: number,
  ) {
    this.#tokens = tokensMax;
    this.#creditedMs = clock.monotonicMs();
  }

  /** Whether one more retry may be made; if so it is counted. */
  take(): boolean {
    this.#credit();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #credit(): void {
    const nowMs = this.clock.monotonicMs();
    const earned =
      (this.calls - this.#callsCredited) * TOKENS_PER_CALL + ((nowMs - this.#creditedMs) / 1_000) * TOKENS_PER_SECOND;
    this.#tokens = Math.min(this.tokensMax, this.#tokens + earned);
    this.#callsCredited = this.calls;
    this.#creditedMs = nowMs;
  }
}

import type { Random } from './random.js';

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** 0: none; 0.5: each delay is between half of it and one and a half. */
  readonly jitter: number;
}

/** Delays that double from `firstMs` to `maxMs`, each spread by the jitter so that many callers do not return at once. */
export class Backoff {
  #attempt = 0;

  constructor(
    readonly options: BackoffOptions,
    readonly random: Random,
  ) {}

  nextMs(): number {
    const { firstMs, maxMs, jitter } = this.options;
    const plainMs = Math.min(maxMs, firstMs * 2 ** this.#attempt);
    this.#attempt = Math.min(this.#attempt + 1, 30);
    return plainMs * (1 + jitter * (2 * this.random.next() - 1));
  }

  reset(): void {
    this.#attempt = 0;
  }
}

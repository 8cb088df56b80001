/**
 * Decides when a batch leaves. While a statement slot is free it leaves when the current turn of the event loop has
 * ended, so that everything that arrived together goes together and nobody waits for a timer. While all slots are taken
 * items gather, and leave as one batch when a slot frees: the busier the origin, the larger the batches.
 */
export class BatchRunner {
  #running = 0;
  #scheduled = false;

  /** `takeBatch` starts a batch and returns its end, which must not reject, or undefined if there is nothing to do. */
  constructor(
    readonly statementsMax: number,
    readonly takeBatch: () => Promise<void> | undefined,
  ) {}

  get running(): number {
    return this.#running;
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#scheduled || this.#running >= this.statementsMax) return;
    this.#scheduled = true;
    setImmediate(this.#start);
  }

  readonly #start = (): void => {
    this.#scheduled = false;
    while (this.#running < this.statementsMax) {
      const batch = this.takeBatch();
      if (batch === undefined) return;
      this.#running++;
      void batch.then(this.#ended);
    }
  };

  readonly #ended = (): void => {
    this.#running--;
    this.#start();
  };
}

/** Bounds the copies that a statement makes of its keys and values; PostgreSQL takes at most 1 GiB in a message. */
export const STATEMENT_BYTES_MAX = 16 * 1024 * 1024;

import type { Clock, Timer } from '@larder/base';

/**
 * Decides when a batch leaves.
 *
 * If no statement is in flight it leaves when the current turn of the event loop has ended: what arrived together goes
 * together and nobody waits for a timer. If that was much, more of it may be on its way in slices, so it waits for a turn
 * that brings nothing new. While statements are in flight items gather, and leave when none is any more,
 * when GATHER_COUNT wait, or after GATHER_MS, so that a slow statement does not hold others up. While all slots are
 * taken they gather until one frees. So the busier the origin, the larger the batches. What would be a large batch is
 * shared among the free slots, so that the origin and we work at the same time.
 */
export class BatchRunner {
  #running = 0;
  #scheduled = false;
  /** When what gathers has gathered long enough; Infinity: nothing gathers. */
  #gatheredAtMs = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  /** How many waited when the last turn ended. */
  #seen = 0;

  constructor(readonly options: BatchRunnerOptions) {}

  /** Something was added. */
  wake(): void {
    if (this.#scheduled) return;
    if (this.#mayLeave()) {
      this.#scheduled = true;
      setImmediate(this.#endOfTurn);
    } else if (this.options.waiting !== undefined && this.#gatheredAtMs === Number.POSITIVE_INFINITY) {
      this.#gather();
    }
  }

  readonly #endOfTurn = (): void => {
    const waiting = this.options.waiting?.() ?? 0;
    if (waiting >= SLICED_COUNT && waiting < GATHER_COUNT && waiting > this.#seen) {
      this.#seen = waiting;
      setImmediate(this.#endOfTurn);
      return;
    }
    this.#seen = 0;
    this.#scheduled = false;
    this.#start();
  };

  readonly #start = (): void => {
    while (this.#mayLeave()) if (!this.#startBatch()) return;
    if (this.options.waiting !== undefined && this.options.waiting() > 0) this.wake();
  };

  readonly #ended = (): void => {
    this.#running--;
    if (this.options.waiting?.() !== 0) this.wake();
  };

  #mayLeave(): boolean {
    const { statementsMax, clock, waiting } = this.options;
    if (this.#running === 0) return true;
    if (this.#running >= statementsMax) return false;
    return waiting === undefined || waiting() >= GATHER_COUNT || clock.monotonicMs() >= this.#gatheredAtMs;
  }

  #share(): number {
    const { statementsMax, waiting } = this.options;
    if (waiting === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(GATHER_COUNT, Math.ceil(waiting() / (statementsMax - this.#running)));
  }

  #gather(): void {
    const { clock } = this.options;
    this.#gatheredAtMs = clock.monotonicMs() + GATHER_MS;
    this.#timer = clock.after(GATHER_MS, this.#start);
  }

  #startBatch(): boolean {
    this.#timer?.cancel();
    this.#gatheredAtMs = Number.POSITIVE_INFINITY;
    const batch = this.options.takeBatch(this.#share());
    if (batch === undefined) return false;
    this.#running++;
    void batch.then(this.#ended);
    return true;
  }
}

export interface BatchRunnerOptions {
  readonly statementsMax: number;
  readonly clock: Clock;
  /** How many items could leave now. Left out: gathering is somebody else's business. */
  readonly waiting?: () => number;
  /** Starts a batch of up to so many, and returns its end, which must not reject, or undefined if there is nothing to do. */
  takeBatch(countMax: number): Promise<void> | undefined;
}

/**
 * Each statement has its price however many rows it carries. CPU time of node-postgres and PostgreSQL 18 for one row of a
 * batch of 32, 128 and 512: 16.1, 13.4 and 11.1 us (2026-11-23, two busy cores). A few hundred rows are enough.
 */
const GATHER_COUNT = 256;
/** A session hands over at most 128 operations a turn; far fewer are all that there is. */
const SLICED_COUNT = 64;
/** About a round trip to a database in the same data centre: what a miss costs anyway. A guess. */
const GATHER_MS = 1;

/** Bounds what a statement carries: PostgreSQL takes at most 1 GiB in a message, and a batch is in memory three times. */
export const STATEMENT_BYTES_MAX = 16 * 1024 * 1024;

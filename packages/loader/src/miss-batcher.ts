import { BoundedQueue, type Clock } from '@larder/base';
import { BatchRunner } from './batch-runner.js';
import { PENDING_COUNT_MAX, type ResolvedLoadPolicy } from './policy.js';
import type { Flight } from './single-flight.js';

/** Gathers the misses of one cache into batches, each one statement. When one leaves is the BatchRunner's decision. */
export class MissBatcher {
  readonly #queue = new BoundedQueue<Flight>(PENDING_COUNT_MAX);
  readonly #runner: BatchRunner;
  /** Keys of the next statement: as many as will keep its answer within ANSWER_BYTES_TARGET, up to the policy's bound. */
  #batchMax: number;

  /** `load` answers the flights of a batch and must not reject. */
  constructor(
    /** As it is now. */
    readonly policy: () => ResolvedLoadPolicy,
    clock: Clock,
    readonly load: (flights: readonly Flight[]) => Promise<void>,
  ) {
    this.#batchMax = Math.min(policy().batchMax, FIRST_BATCH_MAX);
    this.#runner = new BatchRunner({
      get statementsMax() {
        return policy().statementsMax;
      },
      clock,
      waiting: () => this.#queue.length,
      takeBatch: (countMax) => this.#takeBatch(Math.min(countMax, this.#batchMax, policy().batchMax)),
    });
  }

  /** False at the bound. */
  add(flight: Flight): boolean {
    if (!this.#queue.push(flight)) return false;
    this.#runner.wake();
    return true;
  }

  /** A statement has brought so many values with so many bytes. */
  observe(values: number, bytes: number): void {
    if (values === 0) return;
    const meanBytes = Math.max(1, bytes / values);
    this.#batchMax = Math.max(1, Math.min(this.policy().batchMax, Math.floor(ANSWER_BYTES_TARGET / meanBytes)));
  }

  /** Removes and returns everything that has not left yet. */
  clear(): Flight[] {
    const left: Flight[] = [];
    for (let flight = this.#queue.shift(); flight !== undefined; flight = this.#queue.shift()) left.push(flight);
    return left;
  }

  #takeBatch(countMax: number): Promise<void> | undefined {
    const batch: Flight[] = [];
    while (batch.length < countMax) {
      const flight = this.#queue.shift();
      if (flight === undefined) break;
      batch.push(flight);
    }
    return batch.length === 0 ? undefined : this.load(batch);
  }
}

/** What one statement may bring at once; without it a thousand values of some MiB would fill the node's memory. */
const ANSWER_BYTES_TARGET = 16 * 1024 * 1024;
/** Until it is known how large the values are. */
const FIRST_BATCH_MAX = 16;

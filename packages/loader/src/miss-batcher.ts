import { BoundedQueue } from '@larder/base';
import { BatchRunner } from './batch-runner.js';
import type { ResolvedLoadPolicy } from './policy.js';
import type { Flight } from './single-flight.js';

/** Gathers the misses of one cache into batches, each one statement. When one leaves is the BatchRunner's decision. */
export class MissBatcher {
  readonly #queue: BoundedQueue<Flight>;
  readonly #runner: BatchRunner;

  /** `load` answers the flights of a batch and must not reject. */
  constructor(
    readonly policy: ResolvedLoadPolicy,
    readonly load: (flights: readonly Flight[]) => Promise<void>,
  ) {
    this.#queue = new BoundedQueue(policy.waitingMax);
    this.#runner = new BatchRunner(policy.statementsMax, () => this.#takeBatch());
  }

  /** False at the bound. */
  add(flight: Flight): boolean {
    if (!this.#queue.push(flight)) return false;
    this.#runner.wake();
    return true;
  }

  /** Removes and returns everything that has not left yet. */
  clear(): Flight[] {
    const left: Flight[] = [];
    for (let flight = this.#queue.shift(); flight !== undefined; flight = this.#queue.shift()) left.push(flight);
    return left;
  }

  #takeBatch(): Promise<void> | undefined {
    const batch: Flight[] = [];
    while (batch.length < this.policy.batchMax) {
      const flight = this.#queue.shift();
      if (flight === undefined) break;
      batch.push(flight);
    }
    return batch.length === 0 ? undefined : this.load(batch);
  }
}

import { Histogram, systemRandom } from '@larder/base';
import type { Cache } from '@larder/client';
import { keyOf } from './filled-cluster.js';

export interface LoadFigures {
  readonly seconds: number;
  readonly operationsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly failed: number;
}

/** One operation of five writes. */
const WRITE_SHARE = 0.2;

/** Callers that read and write keys of a cache one after the other, until `stop`, measured in windows. */
export class SteadyLoad {
  #latencies = new Histogram();
  #failed = 0;
  #sinceMs = performance.now();
  #isOver = false;
  readonly #callers: readonly Promise<void>[];

  constructor(
    readonly cache: Cache<Buffer>,
    readonly entries: number,
    readonly value: Buffer,
    callers: number,
  ) {
    this.#callers = Array.from({ length: callers }, () => this.#call());
  }

  /** What was measured since the last window, or the start. */
  window(): LoadFigures {
    const latencies = this.#latencies;
    const seconds = (performance.now() - this.#sinceMs) / 1_000;
    const figures = {
      seconds: rounded(seconds),
      operationsPerSecond: Math.round(latencies.count / seconds),
      p50Ms: rounded(latencies.percentileMs(0.5)),
      p99Ms: rounded(latencies.percentileMs(0.99)),
      maxMs: rounded(latencies.maxMs),
      failed: this.#failed,
    };
    this.#latencies = new Histogram();
    this.#failed = 0;
    this.#sinceMs = performance.now();
    return figures;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#callers);
  }

  async #call(): Promise<void> {
    while (!this.#isOver) {
      const key = keyOf(systemRandom.integer(this.entries));
      const beganMs = performance.now();
      try {
        if (systemRandom.next() < WRITE_SHARE) await this.cache.set(key, this.value);
        else if ((await this.cache.get(key)) === undefined) throw new Error(`${key} is not there`);
      } catch {
        this.#failed++;
      }
      this.#latencies.record(performance.now() - beganMs);
    }
  }
}

export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

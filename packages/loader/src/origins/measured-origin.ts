import { type Clock, type Distribution, RecentHistogram } from '@larder/base';
import type { LarderError } from '@larder/proto';
import type { Origin, OriginFence, OriginRow } from './origin.js';

/** An origin that is timed: how long each call took, whatever its end, and how many keys or rows it carried. */
export class MeasuredOrigin implements Origin {
  readonly #loadMs: RecentHistogram;
  readonly #loadKeys: RecentHistogram;
  readonly #writeMs: RecentHistogram;
  readonly #writeRows: RecentHistogram;

  constructor(
    readonly origin: Origin,
    readonly clock: Clock,
  ) {
    this.#loadMs = new RecentHistogram(clock);
    this.#loadKeys = new RecentHistogram(clock);
    this.#writeMs = new RecentHistogram(clock);
    this.#writeRows = new RecentHistogram(clock);
  }

  get callMsMax(): number {
    return this.origin.callMsMax;
  }

  get fence(): OriginFence | undefined {
    return this.origin.fence;
  }

  get measurements(): OriginMeasurements {
    return {
      loadMs: this.#loadMs.summary(),
      loadKeys: this.#loadKeys.summary(),
      writeMs: this.#writeMs.summary(),
      writeRows: this.#writeRows.summary(),
    };
  }

  loadMany(keys: readonly string[], signal: AbortSignal): Promise<readonly (Uint8Array | undefined)[]> {
    this.#loadKeys.record(keys.length);
    return this.#timed(this.#loadMs, this.origin.loadMany(keys, signal));
  }

  writeMany(rows: readonly OriginRow[]): Promise<void> {
    this.#writeRows.record(rows.length);
    return this.#timed(this.#writeMs, this.origin.writeMany(rows));
  }

  deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    this.#writeRows.record(keys.length);
    return this.#timed(this.#writeMs, this.origin.deleteMany(keys));
  }

  check(key: string, value: Uint8Array): LarderError | undefined {
    return this.origin.check?.(key, value);
  }

  close(): Promise<void> {
    return this.origin.close();
  }

  async #timed<T>(histogram: RecentHistogram, call: Promise<T>): Promise<T> {
    const startedMs = this.clock.monotonicMs();
    try {
      return await call;
    } finally {
      histogram.record(this.clock.monotonicMs() - startedMs);
    }
  }
}

/** Of the last one to two minutes. */
export interface OriginMeasurements {
  readonly loadMs: Distribution | undefined;
  readonly loadKeys: Distribution | undefined;
  readonly writeMs: Distribution | undefined;
  readonly writeRows: Distribution | undefined;
}

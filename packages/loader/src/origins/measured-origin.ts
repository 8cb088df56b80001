import { type Clock, type Distribution, RecentHistogram } from '@larder/base';
import { CallLog, CallOutcome, type LoggedCall } from './call-log.js';
import { ForwardingOrigin } from './forwarding-origin.js';
import type { Origin, OriginRow } from './origin.js';

/** What each of the two logs takes beside the cache's memory, as a share of that. */
const LOG_SHARE = 1 / 4096;

/**
 * An origin that is watched: how long each call took, whatever its end, how many keys or rows it carried, and for the
 * latest keys how that ended.
 */
export class MeasuredOrigin extends ForwardingOrigin {
  readonly #loadMs: RecentHistogram;
  readonly #loadKeys: RecentHistogram;
  readonly #writeMs: RecentHistogram;
  readonly #writeRows: RecentHistogram;
  readonly #loads: CallLog;
  readonly #writes: CallLog;

  constructor(
    origin: Origin,
    readonly clock: Clock,
    memoryBytesMax: number,
  ) {
    super(origin);
    this.#loadMs = new RecentHistogram(clock);
    this.#loadKeys = new RecentHistogram(clock);
    this.#writeMs = new RecentHistogram(clock);
    this.#writeRows = new RecentHistogram(clock);
    this.#loads = new CallLog(memoryBytesMax * LOG_SHARE);
    this.#writes = new CallLog(memoryBytesMax * LOG_SHARE);
  }

  get measurements(): OriginMeasurements {
    return {
      loadMs: this.#loadMs.summary(),
      loadKeys: this.#loadKeys.summary(),
      writeMs: this.#writeMs.summary(),
      writeRows: this.#writeRows.summary(),
    };
  }

  lastLoad(key: string): LoggedCall | undefined {
    return this.#loads.find(key, this.clock.monotonicMs());
  }

  lastWrite(key: string): LoggedCall | undefined {
    return this.#writes.find(key, this.clock.monotonicMs());
  }

  override async loadMany(keys: readonly string[], signal: AbortSignal): Promise<readonly (Uint8Array | undefined)[]> {
    if (this.#isRefused) return this.origin.loadMany(keys, signal);
    const startedMs = this.clock.monotonicMs();
    this.#loadKeys.record(keys.length);
    let values: readonly (Uint8Array | undefined)[] | undefined;
    try {
      values = await this.origin.loadMany(keys, signal);
      return values;
    } finally {
      const tookMs = this.#ended(this.#loadMs, startedMs);
      for (let index = 0; index < keys.length; index++) {
        const outcome = values && (values[index] === undefined ? CallOutcome.missing : CallOutcome.found);
        this.#loads.note(keys[index]!, startedMs + tookMs, tookMs, outcome ?? CallOutcome.failed);
      }
    }
  }

  override async writeMany(rows: readonly OriginRow[]): Promise<void> {
    if (this.#isRefused) return this.origin.writeMany(rows);
    const startedMs = this.clock.monotonicMs();
    this.#writeRows.record(rows.length);
    let outcome: CallOutcome = CallOutcome.failed;
    try {
      await this.origin.writeMany(rows);
      outcome = CallOutcome.written;
    } finally {
      const tookMs = this.#ended(this.#writeMs, startedMs);
      for (const { key } of rows) this.#writes.note(key, startedMs + tookMs, tookMs, outcome);
    }
  }

  override async deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    if (this.#isRefused) return this.origin.deleteMany(keys);
    const startedMs = this.clock.monotonicMs();
    this.#writeRows.record(keys.length);
    let outcome: CallOutcome = CallOutcome.failed;
    try {
      const found = await this.origin.deleteMany(keys);
      outcome = CallOutcome.deleted;
      return found;
    } finally {
      const tookMs = this.#ended(this.#writeMs, startedMs);
      for (const key of keys) this.#writes.note(key, startedMs + tookMs, tookMs, outcome);
    }
  }

  /** What never reaches the database says nothing about it. */
  get #isRefused(): boolean {
    return this.origin.breaker?.state === 'open';
  }

  #ended(histogram: RecentHistogram, startedMs: number): number {
    const tookMs = this.clock.monotonicMs() - startedMs;
    histogram.record(tookMs);
    return tookMs;
  }
}

/** Of the last one to two minutes. */
export interface OriginMeasurements {
  readonly loadMs: Distribution | undefined;
  readonly loadKeys: Distribution | undefined;
  readonly writeMs: Distribution | undefined;
  readonly writeRows: Distribution | undefined;
}

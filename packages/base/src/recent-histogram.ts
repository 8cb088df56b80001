import type { Clock } from './clock.js';

/**
 * What was recorded in the last one to two minutes: the minute that runs, and the one before it. So a percentile says
 * how things are now, not how they were on average since the process began. Values are durations in milliseconds, or
 * counts; buckets grow with the value, eight to each power of two, so a percentile is at most 12.5 % off. Range: 0.001
 * to about four million. Takes 2 KB from the first value on, and recording allocates nothing.
 */
export class RecentHistogram {
  #current: Minute | undefined;
  #previous: Minute | undefined;
  #startedMs = 0;

  constructor(readonly clock: Clock) {}

  record(value: number): void {
    this.#rotate();
    this.#current!.record(value);
  }

  /** Undefined: nothing was recorded lately. */
  summary(): Distribution | undefined {
    if (this.#current === undefined) return undefined;
    this.#rotate();
    const minutes = [this.#current, this.#previous!];
    const count = minutes.reduce((sum, minute) => sum + minute.count, 0);
    if (count === 0) return undefined;
    const total = minutes.reduce((sum, minute) => sum + minute.sum, 0);
    const max = Math.max(...minutes.map((minute) => minute.max));
    const at = (share: number): number => Math.min(max, percentile(minutes, Math.max(1, Math.ceil(count * share))));
    return { count, mean: total / count, p50: at(0.5), p99: at(0.99), max };
  }

  #rotate(): void {
    const nowMs = this.clock.monotonicMs();
    if (this.#current === undefined || this.#previous === undefined) {
      this.#current = new Minute();
      this.#previous = new Minute();
      this.#startedMs = nowMs;
      return;
    }
    const elapsedMs = nowMs - this.#startedMs;
    if (elapsedMs < PERIOD_MS) return;
    const ended = this.#current;
    this.#current = this.#previous;
    this.#previous = ended;
    this.#current.reset();
    if (elapsedMs >= 2 * PERIOD_MS) ended.reset();
    this.#startedMs = nowMs - (elapsedMs % PERIOD_MS);
  }
}

/** Of the values of the last one to two minutes. */
export interface Distribution {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const PERIOD_MS = 60_000;
const STEPS_PER_UNIT = 1_000;
const SUB_BITS = 3;
const SUB_COUNT = 1 << SUB_BITS;
const BUCKET_COUNT = (32 - SUB_BITS + 1) * SUB_COUNT;

class Minute {
  readonly counts = new Uint32Array(BUCKET_COUNT);
  count = 0;
  sum = 0;
  max = 0;

  record(value: number): void {
    const steps = Math.min(0xffffffff, Math.max(0, value * STEPS_PER_UNIT)) >>> 0;
    this.counts[bucketOf(steps)]!++;
    this.count++;
    this.sum += value;
    if (value > this.max) this.max = value;
  }

  reset(): void {
    if (this.count > 0) this.counts.fill(0);
    this.count = 0;
    this.sum = 0;
    this.max = 0;
  }
}

/** The upper edge of the bucket of the value with this rank. */
function percentile(minutes: readonly Minute[], rank: number): number {
  let seen = 0;
  let bucket = 0;
  for (; bucket < BUCKET_COUNT - 1; bucket++) {
    for (const { counts } of minutes) seen += counts[bucket]!;
    if (seen >= rank) break;
  }
  return upperEdge(bucket) / STEPS_PER_UNIT;
}

function bucketOf(steps: number): number {
  if (steps < SUB_COUNT) return steps;
  const shift = 31 - Math.clz32(steps) - SUB_BITS;
  return (shift + 1) * SUB_COUNT + ((steps >>> shift) & (SUB_COUNT - 1));
}

function upperEdge(bucket: number): number {
  if (bucket < SUB_COUNT) return bucket;
  const shift = Math.floor(bucket / SUB_COUNT) - 1;
  return ((bucket % SUB_COUNT) + SUB_COUNT + 1) * 2 ** shift;
}

import { Histogram } from '@larder/base';

export interface CallersPlan {
  readonly callers: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** At most so many calls in all, warm-up included. Default: any number. */
  readonly callsMax?: number;
}

export interface CallersResult {
  /** Completed within the window, a second. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Completed in all. */
  readonly calls: number;
}

/** N callers in a closed loop: each makes its call number `index` when its last one has come back. */
export async function runCallers(plan: CallersPlan, call: (index: number) => Promise<void>): Promise<CallersResult> {
  const { callers, warmUpMs, windowMs, callsMax = Number.POSITIVE_INFINITY } = plan;
  const histogram = new Histogram();
  const startMs = performance.now() + warmUpMs;
  const endMs = startMs + windowMs;
  let lastMs = startMs;
  let index = 0;
  let calls = 0;
  const caller = async (): Promise<void> => {
    let beganMs = performance.now();
    while (beganMs < endMs && index < callsMax) {
      await call(index++);
      const nowMs = performance.now();
      calls++;
      if (nowMs >= startMs && nowMs < endMs) {
        histogram.record(nowMs - beganMs);
        lastMs = nowMs;
      }
      beganMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  if (histogram.count === 0) throw new Error(`no call ended within ${windowMs} ms`);
  // A run that ran out of calls is shorter than its window.
  const elapsedMs = index >= callsMax ? lastMs - startMs : windowMs;
  return {
    perSecond: Math.round((histogram.count / elapsedMs) * 1000),
    p50Ms: rounded(histogram.percentileMs(0.5)),
    p99Ms: rounded(histogram.percentileMs(0.99)),
    calls,
  };
}

export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The numbers 1 to `count` in an order that is no order, the same each time. */
export function shuffledIds(count: number): Uint32Array {
  const ids = Uint32Array.from({ length: count }, (_, index) => index + 1);
  let state = 12_345;
  for (let index = count - 1; index > 0; index--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = state % (index + 1);
    const id = ids[index] as number;
    ids[index] = ids[other] as number;
    ids[other] = id;
  }
  return ids;
}

import type { Clock } from '@larder/base';

/**
 * Durations on one machine; times of two machines are never compared.
 *
 * Who *holds* a lease must not overrate what is left of it: a suspended machine's monotonic clock may have stood still
 * meanwhile, its wall clock is set right when it wakes, so the holder counts the larger of both. Who *waits* for
 * another's lease to end must not underrate it: a wall clock that jumps ahead would cut the wait short, so the waiter
 * counts monotonic time alone.
 */

/** A moment, to be compared with moments of the same machine. */
export interface Mark {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export const LONG_AGO: Mark = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };

export class ElapsedTime {
  constructor(
    readonly clock: Clock,
    readonly wallClockBound = true,
  ) {}

  mark(): Mark {
    return { monotonicMs: this.clock.monotonicMs(), wallMs: this.clock.wallMs() };
  }

  /** For holders of leases, and for how late a timer is. */
  held(since: Mark): number {
    const monotonic = this.clock.monotonicMs() - since.monotonicMs;
    return this.wallClockBound ? Math.max(monotonic, this.clock.wallMs() - since.wallMs) : monotonic;
  }

  /** For waits and suspicion. */
  waited(sinceMonotonicMs: number): number {
    return this.clock.monotonicMs() - sinceMonotonicMs;
  }
}

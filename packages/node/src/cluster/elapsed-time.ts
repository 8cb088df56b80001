import type { Clock } from '@larder/base';

/**
 * Durations on one machine; times of two machines are never compared.
 *
 * Who *holds* a lease must not overrate what is left of it: a suspended machine's monotonic clock may have stood still
 * meanwhile, its wall clock is set right when it wakes, so the holder counts the larger of both. Who *waits* for
 * another's lease to end must not underrate it: a wall clock that jumps ahead would cut the wait short, so the waiter
 * counts monotonic time alone.
 *
 * A wall clock that is set back would hide a sleep that comes after it. So it is looked at every tick, and a step back is
 * undone. Only a machine whose wall clock is set back and which is suspended within the same tick is not noticed.
 */

/** A moment, to be compared with moments of the same machine. */
export interface Mark {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export const LONG_AGO: Mark = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };

/** Rounding and slewing of wall clocks are no steps. */
const STEP_MS_MIN = 5;

export class ElapsedTime {
  /** The sum of all steps back. */
  #steppedBackMs = 0;
  #observed: Mark;

  constructor(
    readonly clock: Clock,
    readonly wallClockBound = true,
  ) {
    this.#observed = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
  }

  mark(): Mark {
    return { monotonicMs: this.clock.monotonicMs(), wallMs: this.wallMs() };
  }

  /** Every tick. */
  observe(): void {
    const monotonicMs = this.clock.monotonicMs();
    const wallMs = this.clock.wallMs() + this.#steppedBackMs;
    const steppedBackMs = monotonicMs - this.#observed.monotonicMs - (wallMs - this.#observed.wallMs);
    const undoneMs = steppedBackMs >= STEP_MS_MIN ? steppedBackMs : 0;
    this.#steppedBackMs += undoneMs;
    this.#observed = { monotonicMs, wallMs: wallMs + undoneMs };
  }

  /** For holders of leases, and for how late a timer is. */
  held(since: Mark): number {
    return this.heldAt(since, this.clock.monotonicMs(), this.wallMs());
  }

  /** The same at a moment that was read from the clocks before. */
  heldAt(since: Mark, monotonicMs: number, wallMs: number): number {
    const monotonic = monotonicMs - since.monotonicMs;
    return this.wallClockBound ? Math.max(monotonic, wallMs - since.wallMs) : monotonic;
  }

  /** For waits and suspicion. */
  waited(sinceMonotonicMs: number): number {
    return this.clock.monotonicMs() - sinceMonotonicMs;
  }

  /** Wall time without its steps back, also those since the last tick: or a step would hide a sleep that is known already. */
  wallMs(): number {
    const { monotonicMs, wallMs } = this.#observed;
    const leastMs = wallMs + this.clock.monotonicMs() - monotonicMs - STEP_MS_MIN;
    return Math.max(this.clock.wallMs() + this.#steppedBackMs, leastMs);
  }
}

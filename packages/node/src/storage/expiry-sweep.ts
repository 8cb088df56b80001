import type { Clock } from '@larder/base';
import { PARTITION_COUNT } from '@larder/proto';
import { CLASS_COUNT, tickOf } from './expiry.js';
import type { PartitionIndex } from './partition-index.js';
import type { PartitionStates } from './partition-states.js';

/** How often the clock is asked while slots are looked at. */
const STEPS_PER_CLOCK_READ = 64;

/**
 * Frees entries that have expired, in steps. A pass goes through the slots of all partitions that have entries with an
 * expiry, at most once a tick (4 s), and looks closer at those whose class has come since the pass before last: one
 * pass of overlap, so that an entry whose class was renewed behind the hand is not left for the 17 minutes until its
 * class comes again. 10 million slots take 40 ms a pass (storage study, section 6).
 *
 * In partitions that are not owned nothing expires. They are looked at in turn, one in 255 a pass, only to note of each
 * entry that its end has passed, before that is too long ago to tell.
 */
export class ExpirySweep {
  readonly #index: PartitionIndex;
  readonly #states: PartitionStates;
  readonly #clock: Clock;
  /** Frees the entry in the slot if it has expired, or notes that it has. */
  readonly #visit: (partition: number, slot: number) => boolean;
  #partition = PARTITION_COUNT;
  #tag = 0;
  /** The ticks that ended before the last two passes began, and before this one. */
  #fromTick = 0;
  #lastTick = 0;
  #untilTick = 0;

  constructor(
    index: PartitionIndex,
    states: PartitionStates,
    clock: Clock,
    visit: (partition: number, slot: number) => boolean,
  ) {
    this.#index = index;
    this.#states = states;
    this.#clock = clock;
    this.#visit = visit;
    this.#fromTick = this.#lastTick = this.#untilTick = tickOf(clock.monotonicMs());
  }

  /** Goes on for at most `budgetMs`. Returns whether there is more to do at once. */
  run(budgetMs: number): boolean {
    const startMs = this.#clock.monotonicMs();
    if (this.#partition === PARTITION_COUNT && !this.#begin(startMs)) return false;
    for (let steps = 1; this.#step(); steps++) {
      if (steps % STEPS_PER_CLOCK_READ === 0 && this.#clock.monotonicMs() - startMs >= budgetMs) return true;
    }
    return false;
  }

  #begin(nowMs: number): boolean {
    const tick = tickOf(nowMs);
    if (tick === this.#untilTick) return false;
    this.#fromTick = this.#lastTick;
    this.#lastTick = this.#untilTick;
    this.#untilTick = tick;
    this.#partition = 0;
    this.#tag = 0;
    return true;
  }

  /** One entry, the rest of a segment without one, or a partition without expiries. False: the pass is done. */
  #step(): boolean {
    const index = this.#index;
    if (this.#partition === PARTITION_COUNT) return false;
    const isOwned = this.#states.isOwned(this.#partition);
    const isItsTurn = isOwned || (this.#partition - this.#untilTick) % CLASS_COUNT === 0;
    if (index.expiring(this.#partition) === 0 || !isItsTurn) return this.#nextPartition();
    const count = isOwned ? Math.min(CLASS_COUNT, this.#untilTick - this.#fromTick) : CLASS_COUNT;
    const slot = index.nextDue(this.#partition, this.#tag, (this.#fromTick % CLASS_COUNT) + 1, count);
    if (slot === 0) {
      this.#tag = index.segmentEnd(this.#partition, this.#tag);
      return this.#tag !== 0 || this.#nextPartition();
    }
    const tag = index.tag(slot);
    this.#tag = this.#visit(this.#partition, slot) ? tag : tag + 1;
    return true;
  }

  #nextPartition(): boolean {
    this.#partition++;
    this.#tag = 0;
    return this.#partition < PARTITION_COUNT;
  }
}

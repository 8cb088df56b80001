import type { Clock } from '@larder/base';
import { EntryFlag } from '@larder/loader';
import type { PartitionIndex } from '../partition-index.js';
import type { Records } from '../record.js';
import type { Residents } from '../residents.js';
import type { Invalidations } from './invalidations.js';

/** How often the clock is asked while entries are looked at. */
const STEPS_PER_CLOCK_READ = 64;
/**
 * A pass looks at every entry of the partitions that something was invalidated in, so a steady stream of invalidations
 * costs one look at each entry in this time: about 2 % of a core with a million entries.
 */
const PASS_PERIOD_MS = 4_000;

/** Takes dead entries away, in steps. Nobody is told: other copies know as well which entries are dead. */
export class InvalidationSweep {
  readonly #index: PartitionIndex;
  readonly #residents: Residents;
  readonly #records: Records;
  readonly #invalidations: Invalidations;
  readonly #clock: Clock;
  /** Where something was invalidated since its last pass. */
  readonly #waiting = new Set<number>();
  /** What the pass that is under way has still to look at. */
  #pass: number[] = [];
  #passBeganMs = Number.NEGATIVE_INFINITY;
  /** The last of them was looked at below this tag. -1: not yet. */
  #tag = -1;

  constructor(
    index: PartitionIndex,
    residents: Residents,
    records: Records,
    invalidations: Invalidations,
    clock: Clock,
  ) {
    this.#index = index;
    this.#residents = residents;
    this.#records = records;
    this.#invalidations = invalidations;
    this.#clock = clock;
  }

  invalidated(partition: number): void {
    this.#waiting.add(partition);
  }

  /** Goes on for at most `budgetMs`. */
  run(budgetMs: number): void {
    if (this.#pass.length === 0 && this.#waiting.size === 0) return;
    const startMs = this.#clock.monotonicMs();
    if (this.#pass.length === 0 && !this.#begin(startMs)) return;
    for (let steps = 1; this.#pass.length > 0; steps++) {
      this.#step();
      if (steps % STEPS_PER_CLOCK_READ === 0 && this.#clock.monotonicMs() - startMs >= budgetMs) return;
    }
    if (this.#waiting.size === 0) this.#invalidations.settle();
  }

  #begin(nowMs: number): boolean {
    if (nowMs - this.#passBeganMs < PASS_PERIOD_MS) return false;
    this.#passBeganMs = nowMs;
    this.#pass = [...this.#waiting];
    this.#waiting.clear();
    return true;
  }

  /** All entries of the next tag, or the end of a partition: what has the same tag is in the order in which it came. */
  #step(): void {
    const index = this.#index;
    const partition = this.#pass.at(-1)!;
    if (this.#tag < 0) {
      this.#invalidations.beginSweep(partition);
      this.#tag = 0;
    }
    let slot = index.slotFrom(partition, this.#tag);
    if (slot === 0) {
      this.#invalidations.endSweep(partition);
      this.#pass.pop();
      this.#tag = -1;
      return;
    }
    const tag = index.tag(slot);
    while (slot !== 0 && index.tag(slot) === tag) {
      slot = this.#visit(partition, slot) ? index.slotFrom(partition, tag) : index.slotBehind(partition, slot);
    }
    this.#tag = tag + 1;
  }

  /** True: the entry was dead, and has left. */
  #visit(partition: number, slot: number): boolean {
    const ref = this.#index.ref(slot);
    const flags = this.#records.flags(ref);
    if ((flags & EntryFlag.dirty) === 0 && this.#invalidations.isDead(ref, partition)) {
      this.#residents.leave(ref, slot, partition, this.#residents.hashOf(ref), 0);
      return true;
    }
    if ((flags & EntryFlag.tagged) !== 0) this.#invalidations.survives(ref, partition);
    return false;
  }
}

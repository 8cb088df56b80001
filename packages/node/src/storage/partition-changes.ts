import type { Clock } from '@larder/base';
import type { PartitionIndex } from './partition-index.js';
import type { PartitionStates } from './partition-states.js';
import type { Residents } from './residents.js';

/** How often the clock is asked while entries are looked at. */
const STEPS_PER_CLOCK_READ = 64;

/**
 * What becomes of a partition's entries when it changes hands. Saying so costs the same however many there are; the rest
 * is done in steps, between other work, a partition at a time:
 *
 *   owned         entries that expired meanwhile leave, the others are handed to the policies of their caches
 *   not owned     entries are taken out of their policies, and neither evicted nor expired any more
 *   dropped       entries leave, and nobody is told; a put that needs room takes them first (room.ts)
 *
 * Until its turn comes an entry may still be named by its policy though its partition is another node's: it is set aside
 * when it comes up as a victim, never evicted.
 */
export class PartitionChanges {
  readonly #index: PartitionIndex;
  readonly #residents: Residents;
  readonly #states: PartitionStates;
  readonly #clock: Clock;
  /** Brings an entry in line with its partition. True: it has left. */
  readonly #align: (partition: number, slot: number) => boolean;
  /** Partitions whose entries are not all in line yet, first come first. */
  readonly #unaligned = new Set<number>();
  /** Of the first of them: the tag up to which they are. */
  #alignedTag = 0;
  /** Of the first that is being dropped: no entry is left below this tag. */
  #droppedTag = 0;

  constructor(
    index: PartitionIndex,
    residents: Residents,
    states: PartitionStates,
    clock: Clock,
    align: (partition: number, slot: number) => boolean,
  ) {
    this.#index = index;
    this.#residents = residents;
    this.#states = states;
    this.#clock = clock;
    this.#align = align;
  }

  get isPending(): boolean {
    return this.#unaligned.size !== 0 || this.#states.isAnyDropping;
  }

  setOwned(partition: number, owned: boolean): void {
    if (this.#states.isOwned(partition) === owned) return;
    this.#states.setOwned(partition, owned);
    if (first(this.#unaligned) === partition) this.#alignedTag = 0;
    if (this.#index.entries(partition) > 0) this.#unaligned.add(partition);
  }

  beginDrop(partition: number): void {
    if (this.#index.entries(partition) > 0) this.#states.beginDrop(partition);
  }

  /** Goes on for at most `budgetMs`. Returns whether there is more to do. */
  run(budgetMs: number): boolean {
    const startMs = this.#clock.monotonicMs();
    for (let steps = 1; this.#step(); steps++) {
      if (steps % STEPS_PER_CLOCK_READ === 0 && this.#clock.monotonicMs() - startMs >= budgetMs) return true;
    }
    return false;
  }

  /** Frees up to `countMax` entries that are being dropped; returns whether there was one. */
  dropSome(countMax: number): boolean {
    let count = 0;
    while (count < countMax && this.#states.isAnyDropping) if (this.#dropOne()) count++;
    return count > 0;
  }

  /** One entry, or the end of a partition. False: nothing is left to do. */
  #step(): boolean {
    if (this.#states.isAnyDropping) this.#dropOne();
    else if (this.#unaligned.size !== 0) this.#alignNext();
    else return false;
    return true;
  }

  /** Frees an entry of the first partition that is being dropped. False: it had none left, and its drop is over. */
  #dropOne(): boolean {
    const partition = first(this.#states.dropping);
    const slot = this.#index.slotFrom(partition, this.#droppedTag);
    if (slot === 0) {
      this.#states.endDrop(partition);
      this.#droppedTag = 0;
      return false;
    }
    this.#droppedTag = this.#index.tag(slot);
    const ref = this.#index.ref(slot);
    this.#residents.leave(ref, slot, partition, this.#residents.hashOf(ref), 0);
    return true;
  }

  /** Aligns all entries of the next tag: what has the same tag is in the order in which it came. */
  #alignNext(): void {
    const index = this.#index;
    const partition = first(this.#unaligned);
    let slot = index.slotFrom(partition, this.#alignedTag);
    if (slot === 0) {
      this.#unaligned.delete(partition);
      this.#alignedTag = 0;
      return;
    }
    const tag = index.tag(slot);
    while (slot !== 0 && index.tag(slot) === tag) {
      slot = this.#align(partition, slot) ? index.slotFrom(partition, tag) : index.slotBehind(partition, slot);
    }
    this.#alignedTag = tag + 1;
  }
}

function first(partitions: ReadonlySet<number>): number {
  for (const partition of partitions) return partition;
  return -1;
}

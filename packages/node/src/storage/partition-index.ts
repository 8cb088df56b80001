import { assert } from '@larder/base';
import { PARTITION_COUNT } from '@larder/proto';
import type { Arena } from './arena.js';
import { Directory } from './directory.js';
import type { KeyHash } from './key-hash.js';
import type { Records } from './record.js';
import { SegmentTable, TAG_COUNT } from './segment.js';

/** Where the index gets its blocks. Both calls give a block of at least so many words, under construction, or 0. */
export interface BlockSource {
  /** May move or evict what is in the way. */
  allocate(words: number): number;
  /** Takes only what is free. */
  allocateFree(words: number): number;
}

/**
 * From a key to its record. Every partition has an index of its own: one segment (segment.ts) while it is small, and
 * more when it grows, each with an equal share of the tags or half of one, found through a directory as in extendible
 * hashing (Fagin and others, 1979). A segment holds at most 2,048 slots, so growing one takes microseconds, however
 * large the partition: nothing is ever rehashed as a whole, and no step of growth needs more than 16 KiB in one piece.
 *
 * The tag is 24 bits of the key's hash; slots are in the order of their tags. So a partition can be walked in that order,
 * and a tag says how far a walk has come whatever was put, removed or grown in between.
 */
export class PartitionIndex {
  readonly #directory = new Directory();
  readonly #segments: SegmentTable;
  readonly #records: Records;
  readonly #words: Uint32Array;
  readonly #source: BlockSource;
  readonly #entries = new Uint32Array(PARTITION_COUNT);
  /** Entries that have an expiry. */
  readonly #expiring = new Uint32Array(PARTITION_COUNT);
  /** While above 0, no segment is given back or made smaller. */
  #held = 0;
  /** Partitions that lost their last entry meanwhile. */
  readonly #emptied: number[] = [];

  constructor(arena: Arena, records: Records, source: BlockSource) {
    this.#segments = new SegmentTable(arena, this.#directory);
    this.#records = records;
    this.#words = arena.words;
    this.#source = source;
  }

  /** Words of all segments. */
  get words(): number {
    return this.#segments.totalWords;
  }

  /** Bytes outside of the arena. */
  get fixedBytes(): number {
    return this.#directory.bytes + 8 * PARTITION_COUNT;
  }

  entries(partition: number): number {
    return this.#entries[partition];
  }

  expiring(partition: number): number {
    return this.#expiring[partition];
  }

  /** The slot of the loaded key, or 0. */
  find(cache: number, partition: number, key: KeyHash): number {
    const tag = key.hash >>> 8;
    let slot = this.#segments.home(partition, tag);
    if (slot === 0) return 0;
    const words = this.#words;
    for (;;) {
      const ref = words[slot];
      if (ref === 0) return 0;
      const slotTag = words[slot + 1] >>> 8;
      if (slotTag >= tag) {
        if (slotTag !== tag) return 0;
        if (this.#records.matches(ref, cache, key)) return slot;
      }
      slot += 2;
    }
  }

  /** The slot of a record whose hash is known. It must be there. */
  slotOf(ref: number, partition: number, hash: number): number {
    const words = this.#words;
    let slot = this.#segments.home(partition, hash >>> 8);
    while (words[slot] !== ref) {
      assert(words[slot] !== 0, 'a record is in the index');
      slot += 2;
    }
    return slot;
  }

  ref(slot: number): number {
    return this.#words[slot];
  }

  setRef(slot: number, ref: number): void {
    this.#words[slot] = ref;
  }

  setExpiryClass(slot: number, partition: number, expiryClass: number): void {
    const words = this.#words;
    const before = words[slot + 1] & 0xff;
    if ((before === 0) !== (expiryClass === 0)) this.#expiring[partition] += expiryClass === 0 ? -1 : 1;
    words[slot + 1] = (words[slot + 1] & 0xffffff00) | expiryClass;
  }

  /** Until `release`, no segment is given back or made smaller. */
  hold(): void {
    this.#held++;
  }

  /** Gives back what the removals since `hold` have left of the partition, or of its segment with this tag. */
  release(partition: number, tag: number): void {
    this.#held--;
    if (this.#held > 0) return;
    this.#giveBack(partition, tag);
    for (let emptied = this.#emptied.pop(); emptied !== undefined; emptied = this.#emptied.pop()) {
      if (this.#entries[emptied] === 0) this.#segments.freeAll(emptied);
    }
  }

  /** Makes sure that one more entry with this hash can be inserted, and holds. False: there is no memory; not held. */
  reserve(partition: number, hash: number): boolean {
    this.#held++;
    if (this.#segments.makeRoom(partition, hash >>> 8, this.#source)) return true;
    this.release(partition, hash >>> 8);
    return false;
  }

  /** Room must have been reserved. Returns the slot. */
  insert(partition: number, hash: number, ref: number): number {
    this.#entries[partition]++;
    return this.#segments.insert(partition, hash >>> 8, ref);
  }

  remove(partition: number, slot: number): void {
    const tag = this.#words[slot + 1] >>> 8;
    if ((this.#words[slot + 1] & 0xff) !== 0) this.#expiring[partition]--;
    this.#segments.remove(partition, slot);
    this.#entries[partition]--;
    if (this.#held === 0) this.#giveBack(partition, tag);
    else if (this.#entries[partition] === 0) this.#emptied.push(partition);
  }

  /**
   * The first slot whose tag is at least `tag`, or 0. To walk a partition, go on with the tag behind the last one: no
   * change on the way can make the walk miss an entry.
   */
  slotFrom(partition: number, tag: number): number {
    return tag >= TAG_COUNT ? 0 : this.#segments.slotFrom(partition, tag);
  }

  /** The next slot of the partition, or 0. */
  slotBehind(partition: number, slot: number): number {
    return this.#segments.slotBehind(partition, slot);
  }

  /** The first slot from the tag on, within the tag's segment, whose class is one of `count` from `first` on; or 0. */
  nextDue(partition: number, tag: number, first: number, count: number): number {
    return tag >= TAG_COUNT ? 0 : this.#segments.nextDue(partition, tag, first, count);
  }

  /** The first tag of the next segment, or 0. */
  segmentEnd(partition: number, tag: number): number {
    return tag >= TAG_COUNT ? 0 : this.#segments.rangeEnd(partition, tag) % TAG_COUNT;
  }

  tag(slot: number): number {
    return this.#words[slot + 1] >>> 8;
  }

  /** Words that a segment's block must have. */
  neededWords(address: number): number {
    return this.#segments.neededWords(address);
  }

  /** A segment has been copied here; its block had so many words. */
  moved(address: number, wordsBefore: number): void {
    this.#segments.moved(address, wordsBefore);
  }

  #giveBack(partition: number, tag: number): void {
    if (this.#entries[partition] === 0) this.#segments.freeAll(partition);
    else this.#segments.shrink(partition, tag, this.#source);
  }
}

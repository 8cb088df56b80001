import { EntryFlag, hashAt, hashCount, type TagHashes } from '@larder/loader';
import type { Records } from '../record.js';
import { PartitionTags } from './partition-tags.js';
import { filterBytes } from './tag-filter.js';
import type { Trailers } from './trailers.js';

/**
 * Which entries are dead because their cache was cleared or one of their tags invalidated since they were written. An
 * invalidation is a number: the seq that it has in its partition. An entry with a lower one is dead, so that it costs the
 * same however many entries it kills. They count as absent at once; a sweep (invalidation-sweep.ts) takes them away within
 * seconds, and forgets the invalidations with them, so that few have to be known at a time.
 *
 * A node remembers at most TAGS_MAX_OF_NODE of them, counted for each partition; above that all entries of a partition
 * that have any tag are dead. An entry too many costs a miss.
 *
 * Dirty entries are not its concern: whoever asks must spare them.
 */
const TAGS_MAX_OF_NODE = 262_144;
const TAGS_MAX_OF_PARTITION = 4_096;
/** Of an entry of a JavaScript map with numbers beyond 31 bits, and of a PartitionTags. Measured with Node 20. */
const TAG_BYTES = 72;
const PARTITION_BYTES = 320;

export class Invalidations {
  /** Whether any entry may be dead. */
  isAny = false;
  /** By cache: what the filter of a partition takes. */
  readonly #filterSizes: number[] = [];
  /** By cache, then by partition. */
  readonly #caches: (PartitionTags | undefined)[][] = [];
  readonly #records: Records;
  readonly #trailers: Trailers;
  #tagCount = 0;
  #partitionCount = 0;
  #filterBytes = 0;

  constructor(records: Records, trailers: Trailers) {
    this.#records = records;
    this.#trailers = trailers;
  }

  addCache(cache: number, memoryBytesMax: number): void {
    this.#filterSizes[cache] = filterBytes(memoryBytesMax);
    this.#caches[cache] = [];
  }

  /** Real bytes, about. */
  get bytes(): number {
    return this.#tagCount * TAG_BYTES + this.#partitionCount * PARTITION_BYTES + this.#filterBytes;
  }

  /** Entries of the cache with a lower seq are dead: all of them, or those that have one of the tags. */
  invalidate(cache: number, partition: number, seq: number, tags: TagHashes | undefined): void {
    const known = this.#partitionTags(cache, partition);
    this.isAny = true;
    if (tags === undefined) {
      known.clearedSeq = seq;
      return;
    }
    known.latestTagSeq = seq;
    for (let index = 0; index < hashCount(tags); index++) this.#remember(known, hashAt(tags, index), seq);
  }

  /** Whether the entry was written before an invalidation that concerns it. */
  isDead(ref: number, partition: number): boolean {
    const records = this.#records;
    const known = this.#caches[records.cache(ref)]?.[partition];
    if (known === undefined || !known.hasInvalidations) return false;
    const seq = records.seq(ref);
    if (seq < known.clearedSeq) return true;
    if (seq >= known.latestTagSeq || (records.flags(ref) & EntryFlag.tagged) === 0) return false;
    return seq < known.taggedSeq || this.#hasInvalidated(known, ref, seq);
  }

  /** An entry with these tags is there from now on. Returns whether that takes more memory. */
  note(cache: number, partition: number, tags: TagHashes): boolean {
    const known = this.#partitionTags(cache, partition);
    const isFirst = known.filter === undefined;
    if (isFirst) this.#filterBytes += known.filterBytes;
    for (let index = 0; index < hashCount(tags); index++) known.note(hashAt(tags, index));
    return isFirst;
  }

  /** Never false if an entry has the tag. */
  mayHaveTag(cache: number, partition: number, hash: number): boolean {
    return this.#caches[cache]?.[partition]?.filter?.mayHave(hash) ?? false;
  }

  /** Nothing is left of the partition. */
  drop(partition: number): void {
    for (const partitions of this.#caches) {
      const known = partitions?.[partition];
      if (known === undefined) continue;
      this.#tagCount -= known.invalidated.size;
      this.#partitionCount--;
      if (known.filter !== undefined) this.#filterBytes -= known.filterBytes;
      partitions[partition] = undefined;
    }
  }

  beginSweep(partition: number): void {
    for (const partitions of this.#caches) partitions?.[partition]?.beginSweep();
  }

  /** A sweep has found this entry alive. */
  survives(ref: number, partition: number): void {
    const next = this.#caches[this.#records.cache(ref)]?.[partition]?.nextFilter;
    if (next === undefined) return;
    const tags = this.#trailers.tagsOf(ref);
    for (let index = 0; index < hashCount(tags); index++) next.add(hashAt(tags, index));
  }

  endSweep(partition: number): void {
    for (const partitions of this.#caches) this.#tagCount -= partitions?.[partition]?.endSweep() ?? 0;
  }

  /** Sweeps have ended, and nothing has come meanwhile. */
  settle(): void {
    this.isAny = this.#caches.some((partitions) => partitions?.some((known) => known?.hasInvalidations));
  }

  #hasInvalidated(known: PartitionTags, ref: number, seq: number): boolean {
    const tags = this.#trailers.tagsOf(ref);
    for (let index = 0; index < hashCount(tags); index++) {
      const invalidatedSeq = known.invalidated.get(hashAt(tags, index));
      if (invalidatedSeq !== undefined && seq < invalidatedSeq) return true;
    }
    return false;
  }

  #remember(known: PartitionTags, hash: number, seq: number): void {
    const { invalidated } = known;
    if (!invalidated.has(hash)) {
      if (this.#tagCount >= TAGS_MAX_OF_NODE || invalidated.size >= TAGS_MAX_OF_PARTITION) {
        known.taggedSeq = seq;
        this.#tagCount -= invalidated.size;
        invalidated.clear();
        return;
      }
      this.#tagCount++;
    }
    invalidated.set(hash, seq);
  }

  #partitionTags(cache: number, partition: number): PartitionTags {
    const partitions = this.#caches[cache]!;
    let known = partitions[partition];
    if (known === undefined) {
      known = new PartitionTags(this.#filterSizes[cache]!);
      partitions[partition] = known;
      this.#partitionCount++;
    }
    return known;
  }
}

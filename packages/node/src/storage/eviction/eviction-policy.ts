/**
 * Which entry of a cache goes when there is no room. A policy is told what happens to every entry that may be evicted;
 * entries that may not (dirty ones) are removed from it and inserted again later. It keeps what it needs to know about an
 * entry in up to three words of the entry's record, from `EVICTION_STATE` on; those words move with the record.
 */
export interface EvictionPolicy {
  /** Words that it needs in every record. */
  readonly recordWords: number;
  /** Bytes that it takes outside of records. Counted to its cache. */
  readonly stateBytes: number;

  /** An entry came that was not there. `hash` is 32 keyed bits of its key. */
  insert(ref: number, hash: number): void;
  /** An entry was read or overwritten. */
  use(ref: number): void;
  /** An entry leaves other than by eviction, or becomes dirty. */
  remove(ref: number): void;
  /** The entry that shall go; 0: there is none. */
  victim(): number;
  /** The victim, or an entry that is in the way of a large one, leaves by eviction. */
  evict(ref: number, hash: number): void;
  /** An entry's record was copied to another address, its words for the policy included. */
  moved(from: number, to: number): void;
  /** The words of an entry's record have become fewer or more. */
  resized(ref: number, wordsBefore: number, wordsAfter: number): void;
}

import type { PolicyPages } from '../policy-pages.js';

/** What a policy is made from. */
export interface PolicyContext {
  /** The words of the arena: a ref is a place in them. */
  readonly words: Uint32Array;
  readonly pages: PolicyPages;
  /** The bound of the cache, state of the policy included. */
  readonly memoryBytesMax: number;
  /** What an entry counts to its cache, in bytes, without `entryBytes`. */
  readonly chargeOf: (ref: number) => number;
  /** The end of an entry's life in ms on the node's clock; Infinity: never. */
  readonly endMs: (ref: number) => number;
  /** A whole number below the bound, by chance. */
  readonly integer: (below: number) => number;
}

/**
 * Which entry of a cache goes when there is no room. A policy is told what happens to every entry that may be evicted;
 * entries that may not (dirty ones) are removed from it, and readmitted when they may again. What it has to know about an
 * entry is in up to three words of the entry's record, from EVICTION_STATE on; they are 0 at first and move with it.
 */
export abstract class EvictionPolicy {
  /** Words that it needs in every record. */
  abstract readonly recordWords: number;
  /** Bytes that it keeps for every entry outside of its record. Charged with the entry. */
  readonly entryBytes: number = 0;

  /** Bytes that it takes beyond that, in a cache of so many entries, those included that may not be evicted. */
  stateBytes(_entries: number): number {
    return 0;
  }

  /** Bytes of its pages in the arena, which count as part of the two above. */
  get pageBytes(): number {
    return 0;
  }

  /** A put is complete: records may move now, and be evicted if they are in the way. */
  settle(): void {}

  /** A key that is not there is about to be put, and nothing has been evicted for it yet. `hash`: 32 keyed bits of it. */
  arrive(_hash: number): void {}

  /** It was put. */
  abstract insert(ref: number, hash: number): void;

  /** An entry that was removed because it may not be evicted, or was put as such, now may. */
  readmit(ref: number, hash: number): void {
    this.insert(ref, hash);
  }

  /** An entry was read or overwritten. */
  abstract use(ref: number, hash: number): void;

  /** An entry leaves other than by eviction, or may no longer be evicted. */
  abstract remove(ref: number, hash: number): void;

  /** The entry that shall go; 0: there is none. */
  abstract victim(): number;

  /** The victim, or an entry that is in the way of a large one, leaves by eviction. */
  evict(ref: number, hash: number): void {
    this.remove(ref, hash);
  }

  /** An entry's record, its words for the policy included, was copied to another address. */
  abstract moved(from: number, to: number): void;

  /** The charge of an entry has changed by so many bytes. */
  resized(_ref: number, _difference: number): void {}

  /** An entry has another end of life than when it was inserted, which is never. */
  endChanged(_ref: number): void {}
}
